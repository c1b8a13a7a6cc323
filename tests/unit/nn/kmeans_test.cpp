#include "nn/kmeans.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "nn/lloyd.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

using ::testing::HasSubstr;

at::Tensor column(std::initializer_list<float> values) {
  const std::vector<float> numbers(values);
  return at::tensor(numbers).unsqueeze(1);
}

std::vector<std::int64_t> integers(const at::Tensor& labels) {
  return {labels.const_data_ptr<std::int64_t>(), labels.const_data_ptr<std::int64_t>() + labels.numel()};
}

/// Squared distances [n, k] float64 by differences.
at::Tensor all_distances(const at::Tensor& points, const at::Tensor& centres) {
  return (points.to(at::kDouble).unsqueeze(1) - centres.to(at::kDouble).unsqueeze(0)).square().sum(2);
}

/// Points around a few places, in turn.
at::Tensor clumps(std::int64_t n, const at::Tensor& places, double width, std::uint64_t seed) {
  const at::Tensor which = at::arange(n, at::kLong).remainder(places.size(0));
  return places.index_select(0, which) + test::normal({n, places.size(1)}, seed) * width;
}

TEST(KMeans, CentresAreTheMeansOfClumps) {
  const at::Tensor points =
      at::tensor(std::vector<float>{0, 1, 10, 1, 0, 3, 10, 3, 50, 7, 50, 9, 2, 2, 12, 2}).view({8, 2});
  const KMeansResult result = kmeans(points, {.clusters = 3, .restarts = 10}, 5);
  // Means (2/3, 2), (32/3, 2) and (50, 8), in the order of their first coordinates.
  const at::Tensor order = result.centres.select(1, 0).argsort();
  const at::Tensor centres = result.centres.index_select(0, order);
  const at::Tensor expected = at::tensor(std::vector<float>{2.F / 3, 2, 32.F / 3, 2, 50, 8}).view({3, 2});
  EXPECT_LT(test::difference(centres, expected), 1e-5);
  // Each of the first two: (4/9 + 1) + (4/9 + 1) + 16/9; the last: 2.
  EXPECT_NEAR(result.inertia, 2 * (2 + 24.0 / 9) + 2, 1e-4);
  EXPECT_EQ(result.distinct, 3);
  const auto labels = integers(result.labels);
  EXPECT_EQ(labels[0], labels[2]);
  EXPECT_EQ(labels[0], labels[6]);
  EXPECT_EQ(labels[1], labels[3]);
  EXPECT_EQ(labels[1], labels[7]);
  EXPECT_EQ(labels[4], labels[5]);
}

TEST(KMeans, FindsTheBestOfAllPartitions) {
  const at::Tensor places = at::tensor(std::vector<float>{0, 0, 6, 1}).view({2, 2});
  const at::Tensor points = clumps(11, places, 1.0, 3);
  const at::Tensor precise = points.to(at::kDouble);
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t subset = 1; subset < (1 << 10); ++subset) {  // the last point is in the other part
    std::vector<std::int64_t> part[2];
    for (std::int64_t i = 0; i < 11; ++i) part[(subset >> i) & 1].push_back(i);
    double inertia = 0;
    for (const auto& members : part) {
      const at::Tensor rows = precise.index_select(0, at::tensor(members));
      inertia += (rows - rows.mean(0)).square().sum().item<double>();
    }
    least = std::min(least, inertia);
  }
  EXPECT_NEAR(kmeans(points, {.clusters = 2, .restarts = 10, .tolerance = 0}, 1).inertia, least,
              1e-4 * least);
}

TEST(KMeans, EndsAtAFixedPoint) {
  const at::Tensor points = test::normal({2000, 5}, 1);
  const KMeansResult result = kmeans(points, {.clusters = 7, .max_iterations = 1000, .tolerance = 0}, 2);
  EXPECT_LT(result.iterations, 1000);
  const at::Tensor distances = all_distances(points, result.centres);
  const at::Tensor own = distances.gather(1, result.labels.unsqueeze(1)).squeeze(1);
  EXPECT_LT((own - distances.amin(1)).max().item<double>(), 1e-5);
  EXPECT_NEAR(result.inertia, own.sum().item<double>(), 1e-5 * result.inertia);
  for (std::int64_t c = 0; c < 7; ++c) {
    const at::Tensor members = points.index_select(0, at::nonzero(result.labels.eq(c)).flatten());
    ASSERT_GT(members.size(0), 0);
    EXPECT_LT(test::difference(members.to(at::kDouble).mean(0), result.centres[c]), 1e-5) << c;
  }
}

TEST(KMeans, SameKeySameResult) {
  const at::Tensor points = test::normal({500, 4}, 1);
  const KMeansOptions options{.clusters = 9, .restarts = 3};
  const KMeansResult one = kmeans(points, options, 8), two = kmeans(points, options, 8);
  EXPECT_TRUE(at::equal(one.centres, two.centres));
  EXPECT_TRUE(at::equal(one.labels, two.labels));
  EXPECT_EQ(one.inertia, two.inertia);
  EXPECT_FALSE(at::equal(one.centres, kmeans(points, options, 9).centres));
}

TEST(KMeans, TheBestOfTheRestartsCounts) {
  const at::Tensor points = test::normal({300, 3}, 4);
  int improved = 0;
  for (std::uint64_t key = 0; key < 6; ++key) {
    const double one = kmeans(points, {.clusters = 12, .restarts = 1}, key).inertia;
    const double best = kmeans(points, {.clusters = 12, .restarts = 8}, key).inertia;
    EXPECT_LE(best, one);
    improved += best < one ? 1 : 0;
  }
  EXPECT_GT(improved, 0);
}

TEST(KMeans, ThreadsShareTheRestartsAndChangeNothing) {
  const at::Tensor points = test::normal({300, 3}, 4);
  const KMeansOptions options{.clusters = 12, .restarts = 7};
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const KMeansResult alone = kmeans(points, options, 2);
  at::set_num_threads(3);
  const KMeansResult shared = kmeans(points, options, 2);
  at::set_num_threads(threads);
  EXPECT_EQ(shared.inertia, alone.inertia);
  EXPECT_TRUE(at::equal(shared.centres, alone.centres));
  EXPECT_TRUE(at::equal(shared.labels, alone.labels));
}

TEST(KMeans, StopsAfterItsIterations) {
  const at::Tensor points = test::normal({1000, 3}, 4);
  const KMeansResult result = kmeans(points, {.clusters = 20, .max_iterations = 2, .tolerance = 0}, 3);
  EXPECT_EQ(result.iterations, 2);
  // Labels belong to the centres that are given back.
  const at::Tensor distances = all_distances(points, result.centres);
  const at::Tensor own = distances.gather(1, result.labels.unsqueeze(1)).squeeze(1);
  EXPECT_LT((own - distances.amin(1)).max().item<double>(), 1e-5);
}

TEST(KMeans, SmallDifferencesFarFromZeroCount) {
  const at::Tensor places = at::tensor(std::vector<float>{1000, 1000, 1000.25F, 1000}).view({2, 2});
  const KMeansResult result = kmeans(clumps(200, places, 0.01, 6), {.clusters = 2, .restarts = 3}, 1);
  const auto labels = integers(result.labels);
  for (std::size_t i = 0; i < labels.size(); ++i) ASSERT_EQ(labels[i], labels[i % 2]) << i;
  EXPECT_NE(labels[0], labels[1]);
}

TEST(KMeans, BlocksCoverAllRows) {
  const at::Tensor places = at::tensor(std::vector<float>{0, 0, 9, 0, 0, 9}).view({3, 2});
  const KMeansResult result = kmeans(clumps(40000, places, 0.5, 2), {.clusters = 3, .restarts = 4}, 1);
  const auto labels = integers(result.labels);
  for (std::size_t i = 0; i < labels.size(); ++i) ASSERT_EQ(labels[i], labels[i % 3]) << i;
  EXPECT_EQ(std::set<std::int64_t>(labels.begin(), labels.end()).size(), 3U);
}

TEST(KMeans, FewerDistinctPointsThanClusters) {
  const at::Tensor points = column({1, 5, 1, 5, 0.F, -0.F, 5, 1});
  const KMeansResult result = kmeans(points, {.clusters = 5, .restarts = 2}, 1);
  EXPECT_EQ(result.distinct, 3);
  EXPECT_EQ(result.inertia, 0);
  EXPECT_TRUE(at::isfinite(result.centres).all().item<bool>());
  const at::Tensor own = result.centres.index_select(0, result.labels);
  EXPECT_EQ(test::difference(own, points), 0);
  // Enough of them: counted to the number of clusters only.
  EXPECT_EQ(kmeans(points, {.clusters = 2}, 1).distinct, 2);
}

TEST(KMeans, BadPointsAreRefusedWithCounts) {
  try {
    (void)kmeans(test::normal({3, 2}, 1), {.clusters = 8}, 1);
    FAIL() << "3 points filled 8 clusters";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("3 points"));
    EXPECT_THAT(error.what(), HasSubstr("8 clusters"));
  }
  at::Tensor points = test::normal({30, 2}, 1);
  points[17].fill_(std::numeric_limits<float>::quiet_NaN());
  points[21][1].fill_(std::numeric_limits<float>::infinity());
  try {
    (void)kmeans(points, {.clusters = 4}, 1);
    FAIL() << "NaN was taken";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("2 of 30"));
    EXPECT_THAT(error.what(), HasSubstr("point 17"));
  }
  EXPECT_THROW((void)kmeans(test::normal({3, 2}, 1), {.clusters = 0}, 1), UsageError);
}

TEST(Lloyd, EmptyClustersGetTheFarthestPoints) {
  const at::Tensor points = column({0, 1, 2, 9}), centres = column({1, 500, 600});
  const at::Tensor labels = at::zeros({4}, at::kLong);
  const ClusterSums sums = cluster_sums(points, labels, 3);
  refill_empty_clusters(points, centres, labels, sums);
  // 9 is farthest from centre 1; then 0 and 2 are equally far, and the first is taken.
  EXPECT_EQ(integers(labels), (std::vector<std::int64_t>{2, 0, 0, 1}));
  EXPECT_EQ(integers(sums.counts), (std::vector<std::int64_t>{2, 1, 1}));
  EXPECT_EQ(test::difference(sums.sums, column({3, 9, 0})), 0);
}

TEST(Lloyd, RefillingTakesNoClustersOnlyPoint) {
  // Cluster 0 holds the far point alone; cluster 2 is empty.
  const at::Tensor points = column({100, 1, 1.5F}), centres = column({0, 1, 50});
  const at::Tensor labels = at::tensor(std::vector<std::int64_t>{0, 1, 1});
  refill_empty_clusters(points, centres, labels, cluster_sums(points, labels, 3));
  EXPECT_EQ(integers(labels), (std::vector<std::int64_t>{0, 1, 2}));
  // Points at their centre stay there.
  const at::Tensor same = column({1, 1, 1}), at_centre = at::zeros({3}, at::kLong);
  refill_empty_clusters(same, column({1, 7}), at_centre, cluster_sums(same, at_centre, 2));
  EXPECT_EQ(integers(at_centre), (std::vector<std::int64_t>{0, 0, 0}));
}

TEST(Lloyd, SumsByProductsEqualSumsByLoop) {
  const at::Tensor points = test::normal({40000, 3}, 1);
  const at::Tensor labels = at::arange(40000, at::kLong).remainder(7);
  const ClusterSums loop = cluster_sums(points, labels, 8),
                    product = cluster_sums_by_product(points, labels, 8);
  EXPECT_LT(test::difference(loop.sums, product.sums), 1e-9);
  EXPECT_TRUE(at::equal(loop.counts, product.counts));
  EXPECT_EQ(loop.counts[0].item<std::int64_t>(), 5715);
  EXPECT_EQ(loop.counts[7].item<std::int64_t>(), 0);
}

TEST(Lloyd, SeedsAreDrawnBySquaredDistance) {
  // After seed 0 the second is 1 or 3 with odds of 1 : 9; after 1 it is 0 or 3 with 1 : 4; after 3 it is 0 or
  // 1 with 9 : 4.
  const at::Tensor points = column({0, 1, 3});
  int count[4][4] = {};
  for (std::uint64_t i = 0; i < 3000; ++i) {
    RandomStream random(i, Purpose::kTest);
    const at::Tensor seeds = plus_plus_seeds(points, 2, random);
    const float* seed = seeds.const_data_ptr<float>();
    ++count[static_cast<int>(seed[0])][static_cast<int>(seed[1])];
  }
  const auto share = [&count](int first, int second, int other) {
    return static_cast<double>(count[first][second]) /
           static_cast<double>(count[first][second] + count[first][other]);
  };
  // About four standard deviations of 1000 draws.
  EXPECT_NEAR(share(0, 3, 1), 0.9, 0.04);
  EXPECT_NEAR(share(1, 3, 0), 0.8, 0.05);
  EXPECT_NEAR(share(3, 0, 1), 9.0 / 13, 0.06);
  EXPECT_EQ(count[0][0] + count[1][1] + count[3][3], 0);
}

TEST(KMeans, AGpuFindsTheSameClumps) {
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "SKIPPED: no GPU is visible to this program";
  const at::Tensor places = at::tensor(std::vector<float>{0, 0, 9, 0, 0, 9}).view({3, 2});
  const at::Tensor points = clumps(5000, places, 0.5, 2);
  const KMeansOptions options{.clusters = 3, .restarts = 4};
  const KMeansResult host = kmeans(points, options, 1), gpu = kmeans(points.to(at::kCUDA), options, 1);
  EXPECT_TRUE(gpu.centres.is_cuda() && gpu.labels.is_cuda());
  EXPECT_TRUE(at::equal(gpu.labels.cpu(), host.labels));
  EXPECT_LT(test::difference(gpu.centres.cpu(), host.centres), 1e-4);
  EXPECT_NEAR(gpu.inertia, host.inertia, 1e-5 * host.inertia);
}

}  // namespace
}  // namespace genrec
