#include "nn/attention.h"

#include <ATen/Parallel.h>

#include <string>

#include "nn/kernels/kernels.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

struct Case {
  std::int64_t heads, dim;
  bool causal, biased;
  double dropout;
  at::ScalarType type = at::kFloat;
};

struct Result {
  at::Tensor out, dq, dk, dv, dbias;
};

/// Of numbers that bfloat16 holds, whatever the type is.
Result run(const Case& c, const PackedLayout& queries, const PackedLayout& keys) {
  const auto numbers = [&](std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
    return test::normal({rows, columns}, seed).to(at::kBFloat16).to(c.type);
  };
  const std::int64_t inner = c.heads * c.dim;
  AttentionSpec spec;
  spec.queries = &queries;
  spec.keys = &keys;
  spec.heads = c.heads;
  spec.causal = c.causal;
  if (c.biased) spec.bias = test::normal({c.heads, 2 * queries.longest - 1}, 4);
  spec.dropout = Dropout(queries, c.dropout, DropoutSite::kEncoderSelf, 2);
  // Views with gaps, as from a fused product.
  const at::Tensor q = numbers(queries.tokens(), 2 * inner, 1).narrow(1, 0, inner);
  const at::Tensor kv = numbers(keys.tokens(), 2 * inner, 2);
  const at::Tensor k = kv.narrow(1, 0, inner), v = kv.narrow(1, inner, inner);
  Result r;
  at::Tensor probabilities;
  r.out = attention(q, k, v, spec, &probabilities);
  r.dq = at::empty_like(r.out);
  at::Tensor dkv = at::empty_like(kv);
  r.dk = dkv.narrow(1, 0, inner);
  r.dv = dkv.narrow(1, inner, inner);
  if (c.biased) r.dbias = at::zeros_like(spec.bias);
  attention_backward(q, k, v, probabilities, numbers(queries.tokens(), inner, 3), spec,
                     {r.dq, r.dk, r.dv, r.dbias});
  return r;
}

class AttentionTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionTest, KernelsEqualTheAtenOperations) {
  const Case& c = GetParam();
  const PackedLayout queries = test::layout_of({3, 1, 37, 16, 0, 5, 4});
  const PackedLayout keys = c.causal || c.biased ? queries : test::layout_of({40, 2, 7, 1, 4, 33, 0});
  const Result kernels = run(c, queries, keys);
  const ForceComposite composite;
  const Result reference = run(c, queries, keys);
  // Without fused multiply-add there are twice as many roundings.
  const double limit = std::string(kernel_isa()) == "baseline" ? 4e-5 : 2e-5;
  EXPECT_LT(test::difference(kernels.out, reference.out), limit);
  EXPECT_LT(test::difference(kernels.dq, reference.dq), limit);
  EXPECT_LT(test::difference(kernels.dv, reference.dv), limit);
  EXPECT_LT(test::difference(kernels.dk, reference.dk), limit);
  if (c.biased) {
    EXPECT_LT(test::difference(kernels.dbias, reference.dbias), limit * 4);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest,
                         testing::Values(Case{6, 64, false, true, 0.0}, Case{2, 6, true, true, 0.0},
                                         Case{3, 17, false, false, 0.3}, Case{2, 64, true, true, 0.5}));

/// Root of the mean square of the difference, as a part of the reference's.
double relative_difference(const at::Tensor& a, const at::Tensor& reference) {
  const at::Tensor exact = reference.to(at::kDouble);
  return ((a.to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

class Bfloat16AttentionTest : public testing::TestWithParam<Case> {};

TEST_P(Bfloat16AttentionTest, DiffersFromFloat32ByItsRoundings) {
  Case c = GetParam();
  const PackedLayout queries = test::layout_of({3, 1, 37, 16, 0, 5, 70});
  const PackedLayout keys = c.causal || c.biased ? queries : test::layout_of({40, 2, 7, 1, 4, 33, 66});
  c.type = at::kBFloat16;
  const Result kernels = run(c, queries, keys);
  c.type = at::kFloat;
  const ForceComposite composite;
  const Result reference = run(c, queries, keys);
  // A result rounded once differs by 1.7e-3; where probabilities and gradients of scores are rounded, too, by
  // 2.3e-3.
  EXPECT_LT(relative_difference(kernels.out, reference.out), 3e-3);
  EXPECT_LT(relative_difference(kernels.dq, reference.dq), 3e-3);
  EXPECT_LT(relative_difference(kernels.dk, reference.dk), 3e-3);
  EXPECT_LT(relative_difference(kernels.dv, reference.dv), 3e-3);
  if (c.biased) {
    EXPECT_LT(relative_difference(kernels.dbias, reference.dbias), 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Bfloat16AttentionTest,
                         testing::Values(Case{2, 64, false, true, 0.1}, Case{6, 64, true, true, 0.0},
                                         Case{2, 6, true, true, 0.0}, Case{3, 18, false, false, 0.3},
                                         Case{2, 17, false, false, 0.3}, Case{2, 50, false, true, 0.0}));

TEST(Attention, GradientsAgreeWithDifferencesOfTheOutput) {
  const PackedLayout layout = test::layout_of({4, 2});
  AttentionSpec spec;
  spec.queries = spec.keys = &layout;
  spec.heads = 2;
  spec.causal = true;
  spec.bias = test::normal({2, 7}, 4);
  const at::Tensor q = test::normal({6, 6}, 1), k = test::normal({6, 6}, 2), v = test::normal({6, 6}, 3);
  const at::Tensor weight = test::normal({6, 6}, 5);
  const auto value = [&] {
    return (attention(q, k, v, spec, nullptr) * weight).sum(at::kDouble).item<double>();
  };
  at::Tensor probabilities;
  (void)attention(q, k, v, spec, &probabilities);
  const AttentionGradients g{at::empty_like(q), at::empty_like(q), at::empty_like(q),
                             at::zeros_like(spec.bias)};
  attention_backward(q, k, v, probabilities, weight, spec, g);
  const std::vector<std::pair<at::Tensor, at::Tensor>> pairs{
      {q, g.dq}, {k, g.dk}, {v, g.dv}, {spec.bias, g.dbias}};
  for (const auto& [input, gradient] : pairs) {
    for (std::int64_t i = 0; i < input.numel(); ++i) {
      float& x = input.data_ptr<float>()[i];
      const float before = x;
      x = before + 1e-2f;
      const double above = value();
      x = before - 1e-2f;
      const double below = value();
      x = before;
      EXPECT_NEAR((above - below) / 2e-2, gradient.const_data_ptr<float>()[i], 2e-3);
    }
  }
}

bool same(const Result& a, const Result& b) {
  return at::equal(a.out, b.out) && at::equal(a.dq, b.dq) && at::equal(a.dk, b.dk) && at::equal(a.dv, b.dv) &&
         (!a.dbias.defined() || at::equal(a.dbias, b.dbias));
}

TEST(Attention, NeitherThreadsNorOtherSequencesChangeASequence) {
  const int threads = at::get_num_threads();
  const PackedLayout all = test::layout_of({9, 30, 0, 12}), one = test::layout_of({9}),
                     none = test::layout_of({0, 0});
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    Case c{2, 64, false, true, 0.2, type};
    at::set_num_threads(1);
    const Result single = run(c, all, all);
    for (const int more : {2, 5, 64}) {
      at::set_num_threads(more);
      EXPECT_TRUE(same(run(c, all, all), single)) << more << " threads";
    }
    at::set_num_threads(threads);
    c.biased = false;
    EXPECT_TRUE(at::equal(run(c, all, all).out.narrow(0, 0, 9), run(c, one, one).out));
    EXPECT_EQ(run(c, none, none).out.numel(), 0);
  }
}

}  // namespace
}  // namespace genrec
