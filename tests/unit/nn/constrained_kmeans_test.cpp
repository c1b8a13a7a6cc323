#include "nn/constrained_kmeans.h"

#include <gmock/gmock.h>

#include <limits>

#include "base/error.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

at::Tensor sizes_of(const KMeansResult& result, std::int64_t clusters) {
  return at::bincount(result.labels, {}, clusters);
}

TEST(ConstrainedKMeans, BalancedClustersWorkedByHand) {
  // Halves of three: {0, 1, 2} and {3, 100, 101} with means 1 and 68, though 3 is far from 68.
  const at::Tensor points = at::tensor(std::vector<float>{100, 0, 3, 2, 101, 1}).unsqueeze(1);
  const KMeansResult result = constrained_kmeans(points, {.clusters = 2, .max_iterations = 10, .restarts = 3},
                                                 {.min = 3, .max = 3}, 1);
  const auto label = [&](std::int64_t i) { return result.labels[i].item<std::int64_t>(); };
  EXPECT_EQ(label(1), label(3));
  EXPECT_EQ(label(1), label(5));
  EXPECT_EQ(label(0), label(2));
  EXPECT_EQ(label(0), label(4));
  EXPECT_NE(label(0), label(1));
  EXPECT_NEAR(result.centres[label(1)].item<double>(), 1, 1e-6);
  EXPECT_NEAR(result.centres[label(0)].item<double>(), 68, 1e-5);
  EXPECT_NEAR(result.inertia, 2 + 65 * 65 + 32 * 32 + 33 * 33, 1e-3);
}

TEST(ConstrainedKMeans, SizesStayWithinTheirBounds) {
  // LETTER's code clusters: 256 codes, 10 clusters of 10 to 60; a clump that holds most of the codes.
  at::Tensor points = test::normal({256, 8}, 1);
  points.narrow(0, 0, 200).mul_(0.05);
  const KMeansOptions options{.clusters = 10, .max_iterations = 10, .restarts = 3};
  const KMeansResult free = kmeans(points, options, 4);
  const at::Tensor free_sizes = sizes_of(free, 10);
  ASSERT_TRUE(free_sizes.min().item<std::int64_t>() < 10 || free_sizes.max().item<std::int64_t>() > 60);
  const KMeansResult result = constrained_kmeans(points, options, {.min = 10, .max = 60}, 4);
  const at::Tensor sizes = sizes_of(result, 10);
  EXPECT_GE(sizes.min().item<std::int64_t>(), 10);
  EXPECT_LE(sizes.max().item<std::int64_t>(), 60);
  EXPECT_LE(result.iterations, 10);
  EXPECT_EQ(result.distinct, 10);
  const at::Tensor own = result.centres.index_select(0, result.labels);
  const double inertia = (points - own).to(at::kDouble).square().sum().item<double>();
  EXPECT_NEAR(result.inertia, inertia, 1e-5 * inertia);
}

TEST(ConstrainedKMeans, AtTheEndNoExchangeOfTwoPointsHelps) {
  const at::Tensor points = test::normal({120, 3}, 2);
  const KMeansResult result = constrained_kmeans(
      points, {.clusters = 6, .max_iterations = 100, .tolerance = 0}, {.min = 20, .max = 20}, 3);
  EXPECT_LT(result.iterations, 100);
  const at::Tensor distances =
      (points.to(at::kDouble).unsqueeze(1) - result.centres.to(at::kDouble).unsqueeze(0)).square().sum(2);
  // moved[i, j]: the distance of point i to the centre of point j.
  const at::Tensor moved = distances.index_select(1, result.labels);
  const at::Tensor own = distances.gather(1, result.labels.unsqueeze(1));
  const at::Tensor gain = own + own.t() - moved - moved.t();
  EXPECT_LT(gain.max().item<double>(), 1e-5);
  for (std::int64_t c = 0; c < 6; ++c) {
    const at::Tensor members = points.index_select(0, at::nonzero(result.labels.eq(c)).flatten());
    ASSERT_EQ(members.size(0), 20);
    EXPECT_LT(test::difference(members.to(at::kDouble).mean(0), result.centres[c]), 1e-5);
  }
}

TEST(ConstrainedKMeans, EqualPointsAreSpreadOut) {
  const at::Tensor points = at::ones({40, 2});
  const KMeansResult result =
      constrained_kmeans(points, {.clusters = 4, .max_iterations = 10}, {.min = 10, .max = 10}, 1);
  EXPECT_TRUE(at::equal(sizes_of(result, 4), at::full({4}, 10, at::kLong)));
  EXPECT_EQ(result.distinct, 1);
  EXPECT_EQ(result.inertia, 0);
  EXPECT_TRUE(at::equal(result.centres, at::ones({4, 2})));
}

TEST(ConstrainedKMeans, SameKeySameResult) {
  const at::Tensor points = test::normal({300, 4}, 5);
  const KMeansOptions options{.clusters = 8, .max_iterations = 10, .restarts = 2};
  const KMeansResult one = constrained_kmeans(points, options, {.min = 20, .max = 60}, 7);
  const KMeansResult two = constrained_kmeans(points, options, {.min = 20, .max = 60}, 7);
  EXPECT_TRUE(at::equal(one.labels, two.labels));
  EXPECT_TRUE(at::equal(one.centres, two.centres));
}

TEST(ConstrainedKMeans, WhatCannotBeIsRefused) {
  const at::Tensor points = test::normal({20, 2}, 1);
  EXPECT_THROW((void)constrained_kmeans(points, {.clusters = 4}, {.min = 6, .max = 10}, 1), UsageError);
  EXPECT_THROW((void)constrained_kmeans(points, {.clusters = 4}, {.min = 0, .max = 4}, 1), UsageError);
  EXPECT_THROW((void)constrained_kmeans(points, {.clusters = 21}, {}, 1), DataError);
  at::Tensor broken = points.clone();
  broken[3][0].fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_THROW((void)constrained_kmeans(broken, {.clusters = 4}, {}, 1), DataError);
}

}  // namespace
}  // namespace genrec
