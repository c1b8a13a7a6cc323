#include "optim/adamw.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "nn/packed.h"

namespace genrec {
namespace {

ParameterStore make_store(Precision precision) {
  ParameterStore store(at::kCPU, precision);
  store.add("norm", {33}, false);
  store.add("a", {40, 1000}, true);
  store.add("b", {7}, true);
  store.allocate();
  return store;
}

void fill(ParameterStore& store) {
  store.flat_values().copy_(at::arange(store.flat_values().numel(), at::kFloat).sin());
  store.flat_gradients().copy_(at::arange(store.flat_values().numel(), at::kFloat).cos());
  store.refresh_compute();
}

void expect_definition() {
  ParameterStore store = make_store(Precision::kBFloat16);
  fill(store);
  const double lr = 0.01, scale = 0.25, decay = 0.1;
  AdamW optimizer(store, {.weight_decay = decay});
  std::vector<double> p(static_cast<std::size_t>(store.flat_values().numel())), m(p.size()), v(p.size());
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = store.flat_values().const_data_ptr<float>()[i];
  for (int t = 1; t <= 3; ++t) {
    optimizer.step(lr, scale);
    for (const ParameterStore::Entry& entry : store.entries()) {
      for (auto i = static_cast<std::size_t>(entry.offset);
           i < static_cast<std::size_t>(entry.offset + entry.count); ++i) {
        const double g = store.flat_gradients().const_data_ptr<float>()[i] * scale;
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        p[i] *= entry.decays ? 1 - lr * decay : 1;
        p[i] -= lr * (m[i] / (1 - std::pow(0.9, t))) / (std::sqrt(v[i] / (1 - std::pow(0.999, t))) + 1e-8);
      }
    }
  }
  for (const ParameterStore::Entry& entry : store.entries()) {
    for (std::int64_t i = entry.offset; i < entry.offset + entry.count; ++i) {
      const float ours = store.flat_values().const_data_ptr<float>()[i];
      const auto at = static_cast<std::size_t>(i);
      ASSERT_NEAR(ours, p[at], 3e-7) << entry.name;
      ASSERT_NEAR(optimizer.exp_avg().const_data_ptr<float>()[i], m[at], 1e-6 * std::abs(m[at]));
      ASSERT_NEAR(optimizer.exp_avg_sq().const_data_ptr<float>()[i], v[at], 1e-6 * v[at]);
      ASSERT_EQ(store.flat_computes()[i].item<float>(), static_cast<float>(at::BFloat16(ours)));
    }
  }
  EXPECT_EQ(optimizer.steps(), 3);
}

TEST(AdamW, FollowsTheDefinition) {
  expect_definition();
}

TEST(AdamW, AtenOperationsFollowTheDefinition) {
  const ForceComposite forced;
  expect_definition();
}

/// Parameters, moments and bf16 copies after three steps; gradients only in the entries, as a model's.
std::vector<at::Tensor> after_three_steps() {
  ParameterStore store = make_store(Precision::kBFloat16);
  fill(store);
  at::Tensor inside = at::zeros_like(store.flat_values());
  for (const ParameterStore::Entry& entry : store.entries())
    inside.narrow(0, entry.offset, entry.count).fill_(1);
  store.flat_values().mul_(inside);
  store.flat_gradients().mul_(inside);
  AdamW optimizer(store, {.weight_decay = 0.1});
  for (int t = 0; t < 3; ++t) optimizer.step(0.01, 0.25);
  EXPECT_EQ(store.flat_values().mul(1 - inside).abs().max().item<float>(), 0) << "between the entries";
  return {store.flat_values(), optimizer.exp_avg(), optimizer.exp_avg_sq(), store.flat_computes()};
}

TEST(AdamW, AtenOperationsEqualTheKernels) {
  const std::vector<at::Tensor> kernels = after_three_steps();
  const ForceComposite forced;
  const std::vector<at::Tensor> composite = after_three_steps();
  for (std::size_t i = 0; i < 3; ++i) {
    const at::Tensor limit = i == 0 ? at::full_like(kernels[i], 6e-7) : 1e-6 * kernels[i].abs();
    EXPECT_TRUE((kernels[i] - composite[i]).abs().le(limit).all().item<bool>()) << i;
  }
  EXPECT_TRUE(at::equal(composite[3], composite[0].to(at::kBFloat16))) << "copies are renewed";
}

/// lr times max(rms, 1e-3) of the values before the step, by kernels and by ATen operations.
TEST(AdamW, ScalesTheRateByTheParameter) {
  for (const bool composite : {false, true}) {
    std::optional<ForceComposite> forced;
    if (composite) forced.emplace();
    ParameterStore store = make_store(Precision::kFloat32);
    fill(store);
    store.value(0).mul_(20);
    store.value(1).mul_(1e-6);
    std::vector<at::Tensor> before, scale;
    for (std::size_t i = 0; i < store.entries().size(); ++i) {
      before.push_back(store.value(i).to(at::kDouble).clone());
      scale.push_back(before.back().square().mean().sqrt().clamp_min(1e-3));
    }
    AdamW optimizer(store, {.weight_decay = 0, .scale_parameter = true});
    optimizer.step(0.01, 1.0);
    for (std::size_t i = 0; i < before.size(); ++i) {
      // The first step is the sign of the gradient.
      const at::Tensor expected = before[i] - 0.01 * scale[i] * store.gradient(i).to(at::kDouble).sign();
      EXPECT_LT((store.value(i) - expected).abs().max().item<double>(),
                std::min(1e-6, 1e-7 * before[i].abs().max().item<double>()) + 2e-5 * scale[i].item<double>())
          << store.entries()[i].name << (composite ? ", ATen" : "");
    }
  }
}

TEST(AdamW, ThreadsDoNotChangeTheStep) {
  std::vector<at::Tensor> results;
  std::vector<double> norms;
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    ParameterStore store = make_store(Precision::kFloat32);
    fill(store);
    AdamW optimizer(store, {});
    norms.push_back(gradient_norm(store));
    optimizer.step(0.1, 1.0);
    results.push_back(store.flat_values());
  }
  EXPECT_TRUE(at::equal(results[0], results[1]));
  EXPECT_EQ(norms[0], norms[1]);
}

TEST(GradientNorm, IsTheEuclideanOne) {
  ParameterStore store = make_store(Precision::kFloat32);
  fill(store);
  EXPECT_NEAR(gradient_norm(store), store.flat_gradients().to(at::kDouble).norm().item<double>(), 1e-9);
}

}  // namespace
}  // namespace genrec
