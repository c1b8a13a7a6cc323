#include "nn/mlp.h"

#include <cmath>

#include "base/random.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

/// A network with its store.
struct Network {
  ParameterStore store;
  Mlp mlp;

  explicit Network(std::vector<std::int64_t> widths, Precision precision = Precision::kFloat32)
      : store(at::kCPU, precision), mlp(store, "net", std::move(widths)) {
    store.allocate();
  }
  void set(const std::string& name, std::initializer_list<float> values) {
    at::Tensor value = store.value(store.index(name));
    value.view({-1}).copy_(at::tensor(at::ArrayRef<float>(values)));
    store.refresh_compute();
  }
};

TEST(Mlp, ForwardByHand) {
  Network net({2, 2, 1});
  net.set("net.0.weight", {1, 2, -1, 1});  // hidden 0: x + 2 y, hidden 1: y - x
  net.set("net.0.bias", {0.5F, -1});
  net.set("net.1.weight", {3, -2});
  net.set("net.1.bias", {-10});
  const at::Tensor x = at::tensor({1.0F, 2.0F, 3.0F, -4.0F}).view({2, 2});
  // Row 0: hidden 5.5 and 0; row 1: -4.5 and -8, cut to 0. The last layer is not cut.
  const AutogradLeaves leaves(net.store);
  for (const at::Tensor& y : {net.mlp.infer(x), net.mlp.forward(leaves, x).detach()}) {
    ASSERT_EQ(y.sizes(), (std::vector<std::int64_t>{2, 1}));
    EXPECT_FLOAT_EQ(y[0][0].item<float>(), 6.5F);
    EXPECT_FLOAT_EQ(y[1][0].item<float>(), -10);
  }
}

TEST(Mlp, GradientsReachTheStore) {
  Network net({3, 2});
  net.mlp.initialise(1);
  const AutogradLeaves leaves(net.store);
  net.store.flat_gradients().zero_();
  const at::Tensor x = test::normal({5, 3}, 1), dy = test::normal({5, 2}, 2);
  (net.mlp.forward(leaves, x) * dy).sum().backward();
  leaves.check();
  EXPECT_LT(test::difference(net.store.gradient(0), at::mm(dy.t(), x)), 1e-6);
  EXPECT_LT(test::difference(net.store.gradient(1), dy.sum(0)), 1e-6);
}

TEST(Mlp, GradientsOfADeepNetworkAreCentralDifferences) {
  Network net({4, 6, 5, 2});
  net.mlp.initialise(3);
  const AutogradLeaves leaves(net.store);
  net.store.flat_gradients().zero_();
  const at::Tensor x = test::normal({7, 4}, 1);
  net.mlp.forward(leaves, x).square().sum().backward();
  const auto loss = [&] { return net.mlp.infer(x).square().sum(at::kDouble).item<double>(); };
  RandomStream random(1, Purpose::kTest);
  for (const ParameterStore::Entry& entry : net.store.entries()) {
    const auto place =
        entry.offset + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(entry.count)));
    float& weight = net.store.flat_values().data_ptr<float>()[place];
    const float kept = weight, h = 2e-3F;
    weight = kept + h;
    const double above = loss();
    weight = kept - h;
    const double below = loss();
    weight = kept;
    const double expected = (above - below) / (2 * static_cast<double>(h));
    EXPECT_NEAR(net.store.flat_gradients()[place].item<double>(), expected, 2e-2 * (1 + std::abs(expected)))
        << entry.name;
  }
}

TEST(Mlp, GradientsWithDropoutAreThoseOfTheFormula) {
  Network net({6, 9, 7, 4});
  net.mlp.initialise(3);
  const AutogradLeaves leaves(net.store);
  PackedLayout rows({0, 1, 2, 3, 4, 5}, at::kCPU);
  rows.draw_keys(1, std::vector<std::uint64_t>{5, 6, 7, 8, 9});
  const at::Tensor x = test::normal({5, 6}, 1).set_requires_grad(true), dy = test::normal({5, 4}, 2);
  net.store.flat_gradients().zero_();
  const at::Tensor out = net.mlp.forward(leaves, x, {&rows, 0.4, DropoutSite::kEncoderHidden});
  (out * dy).sum().backward();
  leaves.check();

  const at::Tensor same_x = x.detach().clone().set_requires_grad(true);
  std::vector<at::Tensor> parameters;
  at::Tensor y = same_x;
  for (std::int64_t layer = 0; layer < 3; ++layer) {
    const auto first = static_cast<std::size_t>(2 * layer);
    for (std::size_t i = first; i < first + 2; ++i) {
      parameters.push_back(net.store.value(i).clone().set_requires_grad(true));
    }
    const Dropout mask(rows, 0.4, DropoutSite::kEncoderHidden, layer);
    if (layer > 0) y = y.relu();
    y = at::mm(y * mask.factors(y.size(1)), parameters[first].t()) + parameters[first + 1];
  }
  (y * dy).sum().backward();
  EXPECT_LT(test::difference(out.detach(), y.detach()), 1e-5);
  EXPECT_LT(test::difference(x.grad(), same_x.grad()), 1e-5);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_LT(test::difference(net.store.gradient(i), parameters[i].grad()), 1e-5) << "parameter " << i;
  }
}

TEST(Mlp, PassesAddUpInTheStore) {
  Network net({3, 5, 2});
  net.mlp.initialise(1);
  const AutogradLeaves leaves(net.store);
  net.store.flat_gradients().zero_();
  const at::Tensor x = test::normal({4, 3}, 1);
  net.mlp.forward(leaves, x).square().sum().backward();
  const at::Tensor once = net.store.flat_gradients().clone();
  net.mlp.forward(leaves, x).square().sum().backward();
  leaves.check();
  EXPECT_LT(test::difference(net.store.flat_gradients(), once * 2), 1e-5);
}

TEST(Mlp, InitialisationIsXavierNormalAndKeyed) {
  Network net({300, 200, 100}), again({300, 200, 100}), other({300, 200, 100});
  net.mlp.initialise(5);
  again.mlp.initialise(5);
  other.mlp.initialise(6);
  const at::Tensor weight = net.store.value(0).to(at::kDouble);
  EXPECT_NEAR(weight.mean().item<double>(), 0, 1e-3);
  EXPECT_NEAR(weight.square().mean().sqrt().item<double>(), std::sqrt(2.0 / 500), 1e-3);
  EXPECT_EQ(net.store.value(1).abs().max().item<float>(), 0);
  EXPECT_TRUE(at::equal(net.store.flat_values(), again.store.flat_values()));
  EXPECT_FALSE(at::equal(net.store.flat_values(), other.store.flat_values()));
}

TEST(Mlp, Bfloat16IsCloseToFloat32) {
  Network wide({32, 64, 8}), narrow({32, 64, 8}, Precision::kBFloat16);
  wide.mlp.initialise(1);
  narrow.mlp.initialise(1);
  const at::Tensor x = test::normal({50, 32}, 2);
  const AutogradLeaves wide_leaves(wide.store), narrow_leaves(narrow.store);
  const at::Tensor a = wide.mlp.forward(wide_leaves, x), b = narrow.mlp.forward(narrow_leaves, x);
  ASSERT_EQ(b.scalar_type(), at::kFloat);
  EXPECT_LT((a - b).norm().item<double>(), 2e-2 * a.norm().item<double>());
  EXPECT_GT((a - b).norm().item<double>(), 1e-4 * a.norm().item<double>());
  EXPECT_TRUE(at::equal(narrow.mlp.infer(x), wide.mlp.infer(x)));
  EXPECT_TRUE(at::equal(narrow.mlp.infer(x, Precision::kBFloat16), b));
  EXPECT_LT((narrow.mlp.infer(x) - a).norm().item<double>(), 1e-6 * a.norm().item<double>());
  a.square().sum().backward();
  b.square().sum().backward();
  const at::Tensor expected = wide.store.flat_gradients();
  EXPECT_LT((narrow.store.flat_gradients() - expected).norm().item<double>(),
            5e-2 * expected.norm().item<double>());
}

TEST(Mlp, DropoutIsAFunctionOfTheRowsKeys) {
  Network net({16, 8});
  net.mlp.initialise(1);
  const AutogradLeaves leaves(net.store);
  PackedLayout rows({0, 1, 2}, at::kCPU);
  const std::vector<std::uint64_t> keys = {7, 8}, swapped = {8, 7};
  const at::Tensor x = at::ones({2, 16});
  rows.draw_keys(1, keys);
  const at::Tensor first = net.mlp.forward(leaves, x, {&rows, 0.5, DropoutSite::kEncoderHidden});
  PackedLayout other({0, 1, 2}, at::kCPU);
  other.draw_keys(1, swapped);
  const at::Tensor second = net.mlp.forward(leaves, x, {&other, 0.5, DropoutSite::kEncoderHidden});
  EXPECT_TRUE(at::equal(first[0], second[1]));
  EXPECT_TRUE(at::equal(first[1], second[0]));
  EXPECT_FALSE(at::equal(first[0], first[1]));
}

}  // namespace
}  // namespace genrec
