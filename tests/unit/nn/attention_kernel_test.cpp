// One head of attention at a time, and the attention of one new token.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "nn/attention.h"
#include "nn/kernels/kernels.h"
#include "nn/step_attention.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

template <typename T>
class AttentionKernel : public testing::Test {
 protected:
  static constexpr at::ScalarType kType = std::is_same_v<T, float> ? at::kFloat : at::kBFloat16;

  static at::Tensor numbers(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
    return test::normal({rows, columns}, seed).to(kType);
  }
  static T* elements(const at::Tensor& tensor) { return static_cast<T*>(tensor.data_ptr()); }
};
using Types = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(AttentionKernel, Types);

TYPED_TEST(AttentionKernel, StaysInItsScratch) {
  struct Shape {
    std::int64_t queries, keys, dim;
  };
  for (const Shape& shape :
       {Shape{1, 1, 2}, Shape{70, 1, 64}, Shape{1, 70, 6}, Shape{17, 33, 18}, Shape{33, 17, 15},
        Shape{16, 16, 16}, Shape{16, 16, 17}, Shape{16, 32, 16}, Shape{5, 0, 6}, Shape{0, 5, 6}}) {
    const auto [queries, keys, dim] = shape;
    const at::Tensor q = this->numbers(queries, dim, 1), k = this->numbers(keys, dim, 2),
                     v = this->numbers(keys, dim, 3);
    const at::Tensor dout = this->numbers(queries, dim, 4), out = at::empty_like(q), dq = at::empty_like(q);
    const at::Tensor dk = at::empty_like(k), dv = at::empty_like(v),
                     probabilities = at::empty({queries, keys});
    const std::int64_t allowed = attention_scratch(queries, keys, dim);
    constexpr float kGuard = 12345;
    std::vector<float> scratch(static_cast<std::size_t>(allowed) + 64, kGuard);
    AttentionHead<TypeParam> head{};
    head.q = this->elements(q);
    head.k = this->elements(k);
    head.v = this->elements(v);
    head.ldq = head.ldk = head.ldv = head.dim = dim;
    head.queries = queries;
    head.keys = keys;
    head.probabilities = probabilities.data_ptr<float>();
    head.scratch = scratch.data();
    kernels<TypeParam>().attention(head, this->elements(out), dim);
    const AttentionHeadGradient<TypeParam> gradient{this->elements(dout),
                                                    this->elements(dq),
                                                    this->elements(dk),
                                                    this->elements(dv),
                                                    dim,
                                                    dim,
                                                    dim,
                                                    dim,
                                                    nullptr};
    kernels<TypeParam>().attention_backward(head, gradient);
    EXPECT_TRUE(std::all_of(scratch.begin() + allowed, scratch.end(), [](float x) { return x == kGuard; }))
        << queries << " x " << keys << " x " << dim;
  }
}

/// What step_attention() gives for `steps` tokens a row.
at::Tensor step(std::int64_t steps, at::ScalarType type, const at::Tensor& q, std::int64_t heads) {
  std::vector<at::Tensor> kv;
  std::vector<std::int32_t> paths;
  for (std::int64_t s = 0; s < steps; ++s) {
    kv.push_back(test::normal({4, 2 * q.size(1)}, static_cast<std::uint64_t>(s)).to(type));
  }
  for (std::int64_t i = 0; i < q.size(0) * steps; ++i) paths.push_back(static_cast<std::int32_t>(i * 7 % 4));
  return step_attention(q, kv, paths, test::normal({heads, steps}, 8));
}

TYPED_TEST(AttentionKernel, OfANewTokenEqualsTheAtenOperations) {
  for (const std::int64_t steps : {1, 3, 16, 21}) {
    const at::Tensor q = this->numbers(6, 60, 9);
    const at::Tensor ours = step(steps, this->kType, q, 3);
    const ForceComposite composite;
    // Of numbers about 1, bfloat16 holds steps of 1/128.
    EXPECT_LT(test::difference(ours, step(steps, this->kType, q, 3)),
              this->kType == at::kFloat ? 1e-5 : 1.0 / 128)
        << steps;
  }
}

TYPED_TEST(AttentionKernel, LetsNaNThrough) {
  const PackedLayout layout = test::layout_of({5, 20});
  AttentionSpec spec;
  spec.queries = spec.keys = &layout;
  spec.heads = 2;
  for (int which = 0; which < 3; ++which) {
    std::vector<at::Tensor> qkv{this->numbers(25, 12, 1), this->numbers(25, 12, 2), this->numbers(25, 12, 3)};
    qkv[static_cast<std::size_t>(which)][5][2] = std::numeric_limits<float>::quiet_NaN();
    at::Tensor probabilities;
    const at::Tensor out = attention(qkv[0], qkv[1], qkv[2], spec, &probabilities);
    EXPECT_TRUE(out[5].isnan().any().template item<bool>()) << which;
    EXPECT_FALSE(out.narrow(0, 0, 5).isnan().any().template item<bool>()) << "another sequence, " << which;
    const AttentionGradients g{at::empty_like(out), at::empty_like(out), at::empty_like(out), at::Tensor()};
    attention_backward(qkv[0], qkv[1], qkv[2], probabilities, this->numbers(25, 12, 4), spec, g);
    EXPECT_TRUE(g.dk.isnan().any().template item<bool>()) << which;
  }
}

}  // namespace
}  // namespace genrec
