#include "tokenizers/rqvae/code_clusters.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "base/error.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

TEST(CodeClusters, BoundsAreLetters) {
  EXPECT_EQ(cluster_bounds(256, 10), (ClusterBounds{10, 10, 60}));
  EXPECT_EQ(cluster_bounds(512, 10), (ClusterBounds{10, 10, 104}));  // 10 clusters of 60 hold no 512 codes
  for (const std::int64_t codes : {4, 5, 7, 16, 64, 128, 1000, 5000}) {
    for (const std::int64_t clusters : {1, 2, 10, 20}) {
      const ClusterBounds bounds = cluster_bounds(codes, clusters);
      EXPECT_GE(bounds.size_min, 2);
      EXPECT_LE(bounds.clusters * bounds.size_min, codes);
      EXPECT_GE(bounds.clusters * bounds.size_max, codes);
    }
  }
}

TEST(AcceptanceCheck5, SizesAreWithinTheBoundsAtEveryLevel) {
  const at::Tensor labels = cluster_codes(test::normal({2, 256, 8}, 1), 10, 7);
  ASSERT_EQ(labels.sizes(), (std::vector<std::int64_t>{2, 256}));
  for (std::int64_t level = 0; level < 2; ++level) {
    const at::Tensor sizes = at::bincount(labels[level], {}, 10);
    EXPECT_EQ(sizes.numel(), 10);
    EXPECT_GE(sizes.min().item<std::int64_t>(), 10);
    EXPECT_LE(sizes.max().item<std::int64_t>(), 60);
  }
  EXPECT_TRUE(at::equal(labels, cluster_codes(test::normal({2, 256, 8}, 1), 10, 7)));
}

TEST(AcceptanceCheck5, PositivesAreOthersOfTheSameCluster) {
  const at::Tensor labels = cluster_codes(test::normal({3, 40, 6}, 2), 5, 7);
  const CodeClusters clusters(labels, at::kCPU);
  auto generator = at::detail::createCPUGenerator(3);
  const at::Tensor codes = at::randint(40, {3000, 3}, generator, at::kLong);
  std::vector<std::int64_t> items(3000);
  for (std::size_t i = 0; i < items.size(); ++i) items[i] = static_cast<std::int64_t>(i);
  const at::Tensor positives = clusters.positives(codes, positive_draws(items, 3, 9));
  EXPECT_FALSE(positives.eq(codes).any().item<bool>());
  for (std::int64_t level = 0; level < 3; ++level) {
    const at::Tensor label = labels[level];
    EXPECT_TRUE(at::equal(label.index_select(0, positives.select(1, level)),
                          label.index_select(0, codes.select(1, level))));
  }
}

TEST(CodeClusters, EveryOtherCodeIsDrawnEquallyOften) {
  // Clusters {0, 2, 5, 6}, {1, 3} and {4, 7}.
  const at::Tensor labels = at::tensor({9L, 4L, 9L, 4L, 0L, 9L, 9L, 0L}).view({1, 8});
  const CodeClusters clusters(labels, at::kCPU);
  for (const std::int64_t code : {0, 2, 5, 6, 1, 7}) {
    std::map<std::int64_t, int> drawn;
    for (int i = 0; i < 600; ++i) {
      const at::Tensor u = at::full({1, 1}, (i + 0.5) / 600, at::kDouble);
      ++drawn[clusters.positives(at::full({1, 1}, code, at::kLong), u).item<std::int64_t>()];
    }
    std::map<std::int64_t, int> expected;
    for (const std::int64_t other : {0, 1, 2, 3, 4, 5, 6, 7}) {
      if (other != code && labels[0][other].item<std::int64_t>() == labels[0][code].item<std::int64_t>()) {
        expected[other] = 0;
      }
    }
    for (auto& [other, count] : expected) count = 600 / static_cast<int>(expected.size());
    EXPECT_EQ(drawn, expected) << "code " << code;
  }
  // The largest number below 1 stays within the cluster.
  const at::Tensor top = at::full({1, 1}, 1 - 0x1.0p-53, at::kDouble);
  EXPECT_EQ(clusters.positives(at::zeros({1, 1}, at::kLong), top).item<std::int64_t>(), 6);
}

TEST(CodeClusters, DrawsAreFunctionsOfTheItem) {
  const at::Tensor a = positive_draws({4, 9}, 3, 1), b = positive_draws({9, 4}, 3, 1);
  EXPECT_TRUE(at::equal(a[0], b[1]));
  EXPECT_TRUE(at::equal(a[1], b[0]));
  EXPECT_FALSE(at::equal(a, positive_draws({4, 9}, 3, 2)));
  EXPECT_GE(a.min().item<double>(), 0);
  EXPECT_LT(a.max().item<double>(), 1);
}

TEST(CodeClusters, ASingleCodeHasNoPositive) {
  EXPECT_THROW(CodeClusters(at::tensor({0L, 0L, 1L}).view({1, 3}), at::kCPU), Error);
}

}  // namespace
}  // namespace genrec
