#include "nn/autograd_leaves.h"
#include "nn/autograd_ops.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

ParameterStore make_store() {
  ParameterStore store(at::kCPU, Precision::kFloat32);
  store.add("a", {2, 3}, true);
  store.add("b", {3}, false);
  store.allocate();
  store.value(0).copy_(at::arange(6, at::kFloat).view({2, 3}));
  store.value(1).fill_(1);
  return store;
}

TEST(AutogradLeaves, BackwardAddsToTheStore) {
  ParameterStore store = make_store();
  const AutogradLeaves leaves(store);
  for (int pass = 1; pass <= 2; ++pass) {
    (leaves[0] * leaves[0] * leaves[1]).sum().backward();
    leaves.check();
    // d a = 2 a b, d b = column sums of a^2: 0 + 9, 1 + 16, 4 + 25; twice in the second pass.
    EXPECT_TRUE(at::equal(store.gradient(0), pass * 2 * at::arange(6, at::kFloat).view({2, 3})));
    EXPECT_TRUE(at::equal(store.gradient(1), pass * at::tensor({9.0F, 17.0F, 29.0F})));
    EXPECT_TRUE(at::equal(store.flat_gradients().narrow(0, 0, 6), store.gradient(0).flatten()));
  }
  // What lies between the entries stays 0.
  EXPECT_NEAR(store.flat_gradients().square().sum().item<double>(), 4 * (4 * 55 + 81 + 289 + 841), 1e-3);
}

TEST(AutogradLeaves, SeeWhatChangesTheFlatValues) {
  ParameterStore store = make_store();
  const AutogradLeaves leaves(store);
  (leaves[0] * leaves[1]).sum().backward();
  store.flat_values().sub_(0.5);
  EXPECT_TRUE(at::equal(leaves[1].detach(), at::full({3}, 0.5)));
  store.flat_gradients().zero_();
  (leaves[0] * leaves[1]).sum().backward();
  leaves.check();
  EXPECT_TRUE(at::equal(store.gradient(0), at::full({2, 3}, 0.5)));
}

TEST(AutogradLeaves, NoticeALostGradient) {
  ParameterStore store = make_store();
  const AutogradLeaves leaves(store);
  leaves[1].mutable_grad() = at::Tensor();
  EXPECT_ANY_THROW(leaves.check());
}

TEST(AutogradDropout, DropsTheSameInBothPasses) {
  const PackedLayout layout = test::layout_of({3, 4});
  const Dropout dropout(layout, 0.5, DropoutSite::kDecoderHidden, 1);
  at::Tensor x = test::normal({7, 10}, 1);
  x.set_requires_grad(true);
  const at::Tensor weight = test::normal({7, 10}, 2);
  const at::Tensor y = dropped(x, dropout);
  (y * weight).sum().backward();
  const at::Tensor factors = dropout.factors(10);
  EXPECT_GT(factors.eq(0).sum().item<std::int64_t>(), 10);
  EXPECT_LT(test::difference(y.detach(), x.detach() * factors), 1e-6);
  EXPECT_LT(test::difference(x.grad(), weight * factors), 1e-6);
}

/// Values and gradients against dense causal attention of each sequence in float64.
TEST(AutogradAttention, EqualsDenseAttention) {
  const std::vector<std::int64_t> lengths = {4, 1, 6};
  const std::int64_t heads = 2, dim = 5, width = heads * dim, tokens = 11;
  const PackedLayout layout = test::layout_of(lengths);
  AttentionSpec spec;
  spec.queries = spec.keys = &layout;
  spec.heads = heads;
  spec.causal = true;
  const double scale = 0.7;
  at::Tensor qkv = test::normal({tokens, 3 * width}, 3);
  const at::Tensor weight = test::normal({tokens, width}, 4);
  at::Tensor exact = qkv.to(at::kDouble);
  exact.set_requires_grad(true);
  std::vector<at::Tensor> outputs;
  std::int64_t first = 0;
  for (const std::int64_t length : lengths) {
    const at::Tensor rows = exact.narrow(0, first, length);
    first += length;
    std::vector<at::Tensor> of_heads;
    for (std::int64_t h = 0; h < heads; ++h) {
      const at::Tensor q = rows.narrow(1, h * dim, dim), k = rows.narrow(1, width + h * dim, dim),
                       v = rows.narrow(1, 2 * width + h * dim, dim);
      const at::Tensor later = at::ones({length, length}, at::kBool).triu(1);
      const at::Tensor scores = (at::mm(q, k.t()) * scale).masked_fill(later, -1e30);
      of_heads.push_back(at::mm(at::softmax(scores, 1), v));
    }
    outputs.push_back(at::cat(of_heads, 1));
  }
  const at::Tensor expected = at::cat(outputs, 0);
  (expected * weight).sum().backward();

  const at::Tensor plain = packed_self_attention(qkv, spec, scale);
  EXPECT_LT(test::difference(plain, expected.detach()), 1e-5);
  qkv.set_requires_grad(true);
  const at::Tensor out = packed_self_attention(qkv, spec, scale);
  EXPECT_LT(test::difference(out.detach(), expected.detach()), 1e-5);
  (out * weight).sum().backward();
  EXPECT_LT(test::difference(qkv.grad(), exact.grad()), 1e-5);
}

}  // namespace
}  // namespace genrec
