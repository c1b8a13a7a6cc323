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
  EXPECT_EQ(effective_precision(Precision::kBFloat16, at::kCUDA, 75), Precision::kFloat32);
  EXPECT_NE(precision_warning(Precision::kBFloat16, at::kCUDA, 75).find("GPU"), std::string::npos);
  EXPECT_EQ(effective_precision(Precision::kBFloat16, at::kCUDA, 80), Precision::kBFloat16);
  EXPECT_EQ(precision_warning(Precision::kBFloat16, at::kCUDA, 90), "");
}

TEST(RelativeBias, TableAndGradientFollowTheBuckets) {
  const RelativeBuckets buckets{.buckets = 8, .max_distance = 16, .bidirectional = false};
  const at::Tensor weight = test::normal({8, 2}, 1);
  const DistanceIndex distances(buckets);
  const at::Tensor index = distances.of(20, at::kCPU), table = bias_table(weight, index);
  EXPECT_EQ(table[1][19 - 3].item<float>(), weight[3][1].item<float>());  // key 3 before the query
  EXPECT_EQ(table[0][19 + 5].item<float>(), weight[0][0].item<float>());  // keys behind share bucket 0
  EXPECT_EQ(table[0][0].item<float>(), weight[7][0].item<float>());
  const auto gradient_of = [&](const at::Tensor& dtable) {
    at::Tensor gradient = at::zeros_like(weight);
    add_bias_gradient(dtable, index, gradient);
    return gradient;
  };
  const at::Tensor ones = gradient_of(at::ones_like(table));
  EXPECT_EQ(ones.sum().item<double>(), 2 * 39.0);
  EXPECT_EQ(ones[0][0].item<double>(), 20.0);
  const at::Tensor dtable = test::normal({2, 39}, 2), kernels = gradient_of(dtable);
  const ForceComposite composite;
  EXPECT_LT(test::difference(gradient_of(dtable), kernels), 1e-5);
}

TEST(RelativeBias, AnyLengthFindsItsBuckets) {
  const RelativeBuckets buckets{.buckets = 32, .max_distance = 128, .bidirectional = true};
  const DistanceIndex distances(buckets);
  // Shorter than what is kept, longer than it, and shorter again.
  for (const std::int64_t longest : {7, 300, 1, 128}) {
    const at::Tensor index = distances.of(longest, at::kCPU);
    ASSERT_EQ(index.size(0), 2 * longest - 1);
    for (std::int64_t d = 1 - longest; d < longest; ++d)
      ASSERT_EQ(index[longest - 1 + d].item<std::int64_t>(), buckets.bucket(d));
  }
}

}  // namespace
}  // namespace genrec
