#include "nn/products.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <latch>
#include <limits>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "nn/kernels/matrix.h"
#include "nn/parameter_store.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

using Shape = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // rows, out, in

/// A [rows, columns] view of rows `margin` elements longer; NaN around it.
at::Tensor framed(const at::Tensor& values, at::ScalarType type, std::int64_t margin) {
  const std::int64_t rows = values.size(0), columns = values.size(1);
  at::Tensor around =
      at::full({rows + 2, columns + 2 * margin}, std::numeric_limits<double>::quiet_NaN(), type);
  at::Tensor inner = around.narrow(0, 1, rows).narrow(1, margin, columns);
  inner.copy_(values);
  return inner;
}

/// Whether every element outside the view that framed() made is still NaN.
bool frame_is_whole(const at::Tensor& inner) {
  const std::int64_t width = inner.stride(0);
  const at::Tensor around = inner.as_strided({inner.size(0) + 2, width}, {width, 1}, 0).isnan();
  return around.sum().item<std::int64_t>() - inner.isnan().sum().item<std::int64_t>() ==
         around.numel() - inner.numel();
}

class Products : public testing::TestWithParam<std::tuple<at::ScalarType, Shape>> {
 protected:
  void SetUp() override {
    type = std::get<0>(GetParam());
    const auto [n, out, in] = std::get<1>(GetParam());
    x = framed(test::normal({n, in}, 1), type, 2);
    w = framed(test::normal({out, in}, 2), type, 4);
    dy = framed(test::normal({n, out}, 3), type, 6);
  }
  void TearDown() override { at::set_num_threads(threads_); }
  /// |got - a b| against `bound` of the sum of |a| |b|, and of the result where that is rounded.
  void expect_product(const at::Tensor& got, const at::Tensor& a, const at::Tensor& b,
                      const at::Tensor& before = {}) {
    const at::Tensor wide_a = a.to(at::kDouble), wide_b = b.to(at::kDouble);
    at::Tensor exact = at::mm(wide_a, wide_b);
    if (before.defined()) exact = exact + before.to(at::kDouble);
    at::Tensor allowed = at::mm(wide_a.abs(), wide_b.abs()) * 2e-6 + 1e-6;
    // Without kernels (and these need an even sum) a product of bfloat16 is rounded before it is added.
    const bool rounded = got.scalar_type() == at::kBFloat16 ||
                         (type == at::kBFloat16 && (matrix_kernels() == nullptr || a.size(1) % 2 != 0));
    if (rounded) allowed = allowed + (exact.abs() + 8) * std::ldexp(1.0, -8);
    ASSERT_EQ(got.sizes(), exact.sizes());
    EXPECT_LE(((got.to(at::kDouble) - exact).abs() / allowed).max().item<double>(), 1);
  }

  at::ScalarType type = at::kFloat;
  at::Tensor x, w, dy;

 private:
  int threads_ = at::get_num_threads();
};

TEST_P(Products, LinearLayer) {
  expect_product(linear_layer(x, w), x, w.t());
}

TEST_P(Products, LinearLayerWithBias) {
  const at::Tensor bias = test::normal({w.size(0)}, 7).to(type);
  expect_product(linear_layer(x, w, bias), x, w.t(), bias.expand({x.size(0), -1}));
}

TEST_P(Products, InputGradient) {
  expect_product(linear_input_gradient(dy, w), dy, w);
}

TEST_P(Products, SumsAreAddedToWhatIsThere) {
  const at::Tensor total = framed(test::normal({x.size(0), x.size(1)}, 4), at::kFloat, 2),
                   before = total.clone();
  add_linear_input_gradient(total, dy, w);
  expect_product(total, dy, w, before);
  EXPECT_TRUE(frame_is_whole(total));
  const at::Tensor dw = framed(test::normal({w.size(0), w.size(1)}, 5), at::kFloat, 3),
                   dw_before = dw.clone();
  add_weight_gradient(dw, dy, x);
  expect_product(dw, dy.t(), x, dw_before);
  EXPECT_TRUE(frame_is_whole(dw));
}

TEST_P(Products, ColumnSumsAreAddedToWhatIsThere) {
  const std::int64_t n = dy.size(1);
  const at::Tensor before = test::normal({n + 40}, 6), exact = dy.to(at::kDouble).sum(0);
  const at::Tensor allowed = dy.to(at::kDouble).abs().sum(0) * 2e-6 + 1e-6;
  at::Tensor first;
  for (const int number : {1, 2, 3}) {
    at::set_num_threads(number);
    at::Tensor around = before.clone();
    add_column_sums(around.narrow(0, 20, n), dy);
    const at::Tensor added = around.narrow(0, 20, n).to(at::kDouble) - before.narrow(0, 20, n);
    EXPECT_LE(((added - exact).abs() / allowed).max().item<double>(), 1);
    EXPECT_TRUE(at::equal(around.narrow(0, 0, 20), before.narrow(0, 0, 20)));
    EXPECT_TRUE(at::equal(around.narrow(0, n + 20, 20), before.narrow(0, n + 20, 20)));
    if (!first.defined()) first = around;
    EXPECT_TRUE(at::equal(around, first)) << number << " threads";
  }
}

TEST_P(Products, NothingAroundAResultIsWritten) {
  const at::Tensor y = framed(dy, type, 5), dx = framed(x, type, 3);
  linear_layer_into(y, x, w);
  linear_input_gradient_into(dx, dy, w);
  EXPECT_TRUE(frame_is_whole(y) && frame_is_whole(dx));
  expect_product(y, x, w.t());
  expect_product(dx, dy, w);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Products,
    testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                     testing::Values(Shape{1, 1, 2}, Shape{5, 17, 6}, Shape{6, 64, 16}, Shape{97, 65, 34},
                                     Shape{203, 130, 64}, Shape{40, 200, 128}, Shape{40, 1600, 512},
                                     Shape{40, 512, 1600}, Shape{1029, 32, 48}, Shape{300, 7, 9},
                                     Shape{31, 969, 10}, Shape{2000, 1100, 16})));

/// With kernels of our own alone: a library does not promise to leave every bit as it was.
class ProductsByKernels : public testing::Test {
 protected:
  void SetUp() override {
    if (matrix_kernels() == nullptr) GTEST_SKIP() << "this processor has no kernels of ours for products";
  }
  void TearDown() override { at::set_num_threads(threads_); }

 private:
  int threads_ = at::get_num_threads();
};

TEST_F(ProductsByKernels, DependOnThatRowAlone) {
  const at::Tensor x = test::normal({150, 256}, 1).to(at::kBFloat16),
                   w = test::normal({1700, 256}, 2).to(at::kBFloat16);
  at::Tensor spoilt = x.clone();
  spoilt.select(0, 80).fill_(std::numeric_limits<float>::quiet_NaN());
  const at::Tensor y = linear_layer(x, w), after = linear_layer(spoilt, w);
  EXPECT_TRUE(after.select(0, 80).isnan().all().item<bool>());
  EXPECT_TRUE(at::equal(after.narrow(0, 0, 80), y.narrow(0, 0, 80)));
  EXPECT_TRUE(at::equal(after.narrow(0, 81, 69), y.narrow(0, 81, 69)));
  for (const int number : {1, 2, 3}) {
    at::set_num_threads(number);
    for (const std::int64_t rows : {1, 11, 24, 150}) {
      EXPECT_TRUE(at::equal(linear_layer(x.narrow(0, 0, rows), w), y.narrow(0, 0, rows)))
          << rows << " rows, " << number;
    }
  }
}

TEST_F(ProductsByKernels, PartsOfAWeightGiveThePartsOfAResult) {
  const at::Tensor x = test::normal({60, 32}, 1).to(at::kBFloat16);
  const Weight whole(test::normal({200, 32}, 2).to(at::kBFloat16));
  const at::Tensor before = linear_layer(x, whole.rows(64, 100)), y = linear_layer(x, whole);
  EXPECT_TRUE(at::equal(before, y.narrow(1, 64, 100)));
  for (const auto& [first, count] :
       {std::pair{0, 70}, std::pair{64, 100}, std::pair{128, 72}, std::pair{33, 40}}) {
    EXPECT_TRUE(at::equal(linear_layer(x, whole.rows(first, count)), y.narrow(1, first, count))) << first;
  }
}

TEST(Weights, OfAParameterStoreAreThoseOfNow) {
  ParameterStore store(at::kCPU, Precision::kBFloat16);
  const std::size_t one = store.add("one", {40, 32}, true), stack = store.add_stacked({"a", "b"}, {24, 32});
  store.allocate();
  const at::Tensor x = test::normal({60, 32}, 1).to(at::kBFloat16);
  for (const std::uint64_t seed : {2, 3}) {
    store.flat_values().copy_(test::normal({store.flat_values().numel()}, seed));
    if (seed == 2) {
      store.refresh_compute();
    } else {
      store.flat_computes().copy_(store.flat_values());  // as the optimiser does
    }
    for (const Weight& weight : {store.compute(one), store.stacked_compute(stack, 2)}) {
      const at::Tensor& plain = weight;
      EXPECT_TRUE(at::equal(linear_layer(x, weight), linear_layer(x, plain))) << seed;
    }
  }
}

TEST_F(ProductsByKernels, WeightGradientsDoNotDependOnThreads) {
  const at::Tensor dy = test::normal({1100, 96}, 1).to(at::kBFloat16),
                   x = test::normal({1100, 200}, 2).to(at::kBFloat16);
  at::Tensor tall, wide;
  for (const int number : {1, 2, 3}) {
    at::set_num_threads(number);
    const at::Tensor dw = at::zeros({96, 200}), across = at::zeros({200, 96});
    add_weight_gradient(dw, dy, x);
    add_weight_gradient(across, x, dy);
    if (number == 1) {
      wide = dw;
      tall = across;
    }
    EXPECT_TRUE(at::equal(dw, wide) && at::equal(across, tall)) << number << " threads";
  }
}

TEST_F(ProductsByKernels, FactorsThatDoNotFitAreRefused) {
  const at::Tensor x = at::ones({30, 16}, at::kBFloat16), w = at::ones({20, 18}, at::kBFloat16);
  EXPECT_THROW((void)linear_layer(x, w), c10::Error);
  EXPECT_THROW((void)linear_layer(x, w.to(at::kFloat)), c10::Error);
  EXPECT_THROW((void)linear_input_gradient(x, w), c10::Error);
  EXPECT_THROW(add_weight_gradient(at::zeros({16, 18}), x, w), c10::Error);
  EXPECT_THROW(add_weight_gradient(at::zeros({16, 17}), x, x.narrow(1, 0, 16)), c10::Error);
  EXPECT_THROW(linear_layer_into(at::zeros({30, 20}), x, w.narrow(1, 0, 16)), c10::Error);
}

TEST_F(ProductsByKernels, ThreadsMayPackAWeightAtTheSameTime) {
  const at::Tensor x = test::normal({30, 64}, 1).to(at::kBFloat16);
  Weight weight(test::normal({2000, 64}, 2).to(at::kBFloat16));
  const at::Tensor expected = linear_layer(x, weight);
  for (int round = 0; round < 200; ++round) {
    weight.forget();
    std::vector<at::Tensor> found(4);
    std::vector<std::thread> threads;
    std::latch together(4);
    for (at::Tensor& y : found) {
      threads.emplace_back([&y, &x, &weight, &together] {
        at::set_num_threads(1);
        together.arrive_and_wait();
        y = linear_layer(x, weight);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const at::Tensor& y : found) ASSERT_TRUE(at::equal(y, expected)) << round;
  }
}

}  // namespace
}  // namespace genrec
