#include "optim/adamw.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

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

TEST(AdamW, FollowsTheDefinition) {
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
      ASSERT_NEAR(ours, p[static_cast<std::size_t>(i)], 1e-6) << entry.name;
      ASSERT_EQ(store.flat_computes()[i].item<float>(), static_cast<float>(at::BFloat16(ours)));
    }
    EXPECT_EQ(optimizer.steps(), 3);
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
