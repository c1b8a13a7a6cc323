#include "nn/parameter_store.h"

#include "base/error.h"
#include "nn/precision.h"
#include "nn/relative_bias.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

TEST(ParameterStore, StacksLieWithoutGapsAndEntriesAreAligned) {
  ParameterStore store(at::kCPU, Precision::kBFloat16);
  const std::size_t odd = store.add("odd", {5}, false);
  const std::size_t stack = store.add_stacked({"q", "k", "v"}, {3, 7});
  const std::size_t last = store.add("last", {2, 2}, true);
  store.allocate();
  EXPECT_EQ(store.parameter_count(), 5 + 63 + 4);
  EXPECT_EQ(store.entries()[stack].offset, 16);
  EXPECT_EQ(store.entries()[last].offset % 16, 0);
  EXPECT_FALSE(store.entries()[odd].decays);
  at::Tensor k = store.value(stack + 1);
  k.fill_(1.5);
  store.refresh_compute();
  const at::Tensor all = store.stacked_compute(stack, 3);
  EXPECT_EQ(all.scalar_type(), at::kBFloat16);
  EXPECT_EQ(all.sizes(), at::IntArrayRef({9, 7}));
  EXPECT_EQ(all.narrow(0, 3, 3).to(at::kFloat).sum().item<double>(), 21 * 1.5);
  EXPECT_EQ(all.to(at::kFloat).sum().item<double>(), 21 * 1.5);
  at::Tensor g = store.gradient(stack + 2);
  g.fill_(2);
  EXPECT_EQ(store.stacked_gradient(stack, 3).sum().item<double>(), 42);
  EXPECT_EQ(store.index("last"), last);
  EXPECT_THROW((void)store.index("nothing"), Error);
}

TEST(Precision, FallsBackWhereBf16WouldBeSlow) {
  const Precision effective = effective_precision(Precision::kBFloat16, at::kCPU);
  EXPECT_EQ(precision_warning(Precision::kBFloat16, at::kCPU).empty(), effective == Precision::kBFloat16);
  EXPECT_EQ(effective_precision(Precision::kFloat32, at::kCPU), Precision::kFloat32);
}

TEST(RelativeBias, TableAndGradientFollowTheBuckets) {
  const RelativeBuckets buckets{.buckets = 8, .max_distance = 16, .bidirectional = false};
  const at::Tensor weight = test::normal({8, 2}, 1);
  const at::Tensor table = bias_table(weight, buckets, 20);
  EXPECT_EQ(table[1][19 - 3].item<float>(), weight[3][1].item<float>());  // key 3 before the query
  EXPECT_EQ(table[0][19 + 5].item<float>(), weight[0][0].item<float>());  // keys behind share bucket 0
  EXPECT_EQ(table[0][0].item<float>(), weight[7][0].item<float>());
  at::Tensor gradient = at::zeros_like(weight);
  add_bias_gradient(at::ones_like(table), buckets, gradient);
  EXPECT_EQ(gradient.sum().item<double>(), 2 * 39.0);
  EXPECT_EQ(gradient[0][0].item<double>(), 20.0);
}

}  // namespace
}  // namespace genrec
