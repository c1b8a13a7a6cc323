#include "nn/attention.h"

#include <ATen/Parallel.h>

#include <string>

#include "nn/kernels/kernels.h"
#include "nn/step_attention.h"
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

Result run(const Case& c, const PackedLayout& queries, const PackedLayout& keys) {
  const std::int64_t inner = c.heads * c.dim;
  AttentionSpec spec;
  spec.queries = &queries;
  spec.keys = &keys;
  spec.heads = c.heads;
  spec.causal = c.causal;
  if (c.biased) spec.bias = test::normal({c.heads, 2 * queries.longest - 1}, 4);
  spec.dropout = Dropout(queries, c.dropout, DropoutSite::kEncoderSelf, 2);
  // Views with gaps, as from a fused product.
  const at::Tensor q = test::normal({queries.tokens(), 2 * inner}, 1).to(c.type).narrow(1, 0, inner);
  const at::Tensor kv = test::normal({keys.tokens(), 2 * inner}, 2).to(c.type);
  const at::Tensor k = kv.narrow(1, 0, inner), v = kv.narrow(1, inner, inner);
  Result r;
  at::Tensor probabilities;
  r.out = attention(q, k, v, spec, &probabilities);
  r.dq = at::empty_like(r.out);
  at::Tensor dkv = at::empty_like(kv);
  r.dk = dkv.narrow(1, 0, inner);
  r.dv = dkv.narrow(1, inner, inner);
  if (c.biased) r.dbias = at::zeros_like(spec.bias);
  attention_backward(q, k, v, probabilities, test::normal({queries.tokens(), inner}, 3).to(c.type), spec,
                     {r.dq, r.dk, r.dv, r.dbias});
  return r;
}

class AttentionTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionTest, KernelsEqualTheAtenOperations) {
  const Case& c = GetParam();
  const PackedLayout queries = test::layout_of({3, 1, 37, 16, 0, 5});
  const PackedLayout keys = c.causal || c.biased ? queries : test::layout_of({40, 2, 7, 1, 4, 33});
  const Result kernels = run(c, queries, keys);
  const ForceComposite composite;
  const Result reference = run(c, queries, keys);
  // Without fused multiply-add there are twice as many roundings.
  const double rounding = std::string(kernel_isa()) == "baseline" ? 4e-5 : 2e-5;
  const double limit = c.type == at::kFloat ? rounding : 6e-2;
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
                                         Case{3, 17, false, false, 0.3}, Case{2, 64, true, true, 0.5},
                                         Case{2, 64, false, true, 0.1, at::kBFloat16}));

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

TEST(Attention, NeitherThreadsNorOtherSequencesChangeASequence) {
  const PackedLayout all = test::layout_of({9, 30, 12}), one = test::layout_of({9});
  const Case c{2, 64, false, true, 0.2};
  at::set_num_threads(1);
  const Result single = run(c, all, all);
  at::set_num_threads(2);
  const Result both = run(c, all, all);
  EXPECT_TRUE(at::equal(single.out, both.out));
  EXPECT_TRUE(at::equal(single.dbias, both.dbias));
  Case unbiased = c;
  unbiased.biased = false;
  EXPECT_TRUE(at::equal(run(unbiased, all, all).out.narrow(0, 0, 9), run(unbiased, one, one).out));
}

TEST(StepAttention, EqualsTheAtenOperations) {
  const std::int64_t heads = 3, dim = 20, inner = heads * dim;
  std::vector<at::Tensor> kv;
  for (std::uint64_t s = 0; s < 3; ++s)
    kv.push_back(test::normal({4 + static_cast<std::int64_t>(s), 2 * inner}, s));
  const std::vector<std::int32_t> paths{0, 1, 0, 3, 4, 1, 2, 2, 2, 0, 0, 3, 1, 1, 4, 2, 3, 5};
  const at::Tensor q = test::normal({6, inner}, 9), bias = test::normal({heads, 3}, 8);
  const at::Tensor kernels = step_attention(q, kv, paths, bias);
  const ForceComposite composite;
  EXPECT_LT(test::difference(kernels, step_attention(q, kv, paths, bias)), 1e-5);
}

}  // namespace
}  // namespace genrec
