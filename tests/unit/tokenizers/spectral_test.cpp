#include "tokenizers/cid/spectral.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "base/random.h"

namespace genrec {
namespace {

/// A block graph made of integers: node i is of block (7 i mod nodes) mod blocks; percentages of edges inside
/// a block and across blocks.
ItemGraph block_graph(std::int32_t nodes, std::int32_t blocks, std::uint64_t inside, std::uint64_t across,
                      std::uint64_t seed) {
  std::vector<PairCount> pairs;
  for (std::int32_t i = 0; i < nodes; ++i) {
    for (std::int32_t j = i + 1; j < nodes; ++j) {
      const std::uint64_t hash =
          mix64(seed * 1000003 + static_cast<std::uint64_t>(i) * 1009 + static_cast<std::uint64_t>(j));
      const bool same = (i * 7 % nodes) % blocks == (j * 7 % nodes) % blocks;
      if (hash % 100 >= (same ? inside : across)) continue;
      pairs.push_back({i, j, static_cast<std::int64_t>(1 + (hash >> 32) % (same ? 5 : 2))});
    }
  }
  return make_graph(nodes, pairs);
}

/// Equal partitions, whatever the labels are called.
void expect_same_partition(const std::vector<std::int32_t>& labels, const std::string& expected) {
  ASSERT_EQ(labels.size(), expected.size());
  std::map<std::int32_t, char> forth;
  std::map<char, std::int32_t> back;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    EXPECT_EQ(forth.emplace(labels[i], expected[i]).first->second, expected[i]) << i;
    EXPECT_EQ(back.emplace(expected[i], labels[i]).first->second, labels[i]) << i;
  }
}

// Labels of scikit-learn 1.9.1, SpectralClustering(clusters, affinity="precomputed",
// assign_labels="cluster_qr", random_state=0), on the same matrices; the first two take the dense way here,
// the last one Lanczos.
TEST(SpectralClusters, EqualScikitLearnOnClearBlocks) {
  expect_same_partition(spectral_clusters(block_graph(60, 4, 50, 6, 1), 4),
                        "bdacbdacbdacbdacbdacbdacbdacbdacbdacbdacbdacbdacbdacbdacbdac");
}

TEST(SpectralClusters, EqualScikitLearnOnMoreClustersThanBlocks) {
  expect_same_partition(spectral_clusters(block_graph(60, 4, 50, 12, 2), 6),
                        "bfadbfcddfcebfaebfcedfaebeaebfcdbfcdbfaebfcedfcdbfcebfcdbfad");
}

TEST(SpectralClusters, EqualScikitLearnOnALargerNoisyGraph) {
  expect_same_partition(spectral_clusters(block_graph(400, 8, 40, 24, 3), 10),
                        "icjehgfdacjehgfdaijehgfdaibehgfdicbehgfdacbehgadacjehgfjacbehgfdacbehgfdaijehgfj"
                        "acjihgfdaijehgfdabbehgfdaibehgfbacjehgfdicbehgfdacjehgfdicbehgfdacbehgfdicjehgfj"
                        "acjehifdicjehgfdacjihgfdicbehgfdacbehgfdacbehjfdicbehgfdacjehgfdacbehgfjacjehgfd"
                        "bcjehgjdacjehgfdicbihgfdacjehgfdacbehgfdaijehgfdacjehgfdacbehgfdicbehgfdicjehgbd"
                        "acjehgfdjijehgfdicjehgfdicjehgfdacjehgfdicbehgfdacjjhgfdacbehgfdacjehgfdacjehgfd");
}

/// A chain's eigenvalues lie so close together that nothing converges within the budget: what the solver has
/// by then still cuts few edges.
TEST(SpectralClusters, AreUsableBeforeTheSolverConverges) {
  constexpr std::int32_t kNodes = 1000, kClusters = 4;
  std::vector<PairCount> pairs;
  for (std::int32_t i = 0; i + 1 < kNodes; ++i) pairs.push_back({i, i + 1, 1});
  const auto labels = spectral_clusters(make_graph(kNodes, pairs), kClusters, /*visits=*/1);
  EXPECT_EQ(std::set(labels.begin(), labels.end()).size(), kClusters);
  std::int32_t cut = 0;
  for (std::size_t i = 0; i + 1 < labels.size(); ++i) cut += labels[i] != labels[i + 1] ? 1 : 0;
  EXPECT_LT(cut, kNodes / 10);
}

TEST(SpectralClusters, AreFoundWhenBlocksAreNotConnected) {
  // Three components, six clusters: eigenvalue 1 is threefold.
  const ItemGraph graph = block_graph(420, 3, 30, 0, 4);
  const auto component = components(graph);
  ASSERT_EQ(*std::max_element(component.begin(), component.end()), 2);
  const auto labels = spectral_clusters(graph, 6);
  std::map<std::int32_t, std::set<std::int32_t>> components_of;
  for (std::size_t i = 0; i < labels.size(); ++i) components_of[labels[i]].insert(component[i]);
  EXPECT_EQ(components_of.size(), 6u);
  for (const auto& [label, inside] : components_of) EXPECT_EQ(inside.size(), 1u) << label;
}

TEST(SpectralClusters, DealComponentsWhenTheyAreMoreThanClusters) {
  // Ten triangles and a ring of ten.
  std::vector<PairCount> pairs;
  for (std::int32_t t = 0; t < 10; ++t) {
    pairs.push_back({3 * t, 3 * t + 1, 1});
    pairs.push_back({3 * t, 3 * t + 2, 1});
    pairs.push_back({3 * t + 1, 3 * t + 2, 1});
  }
  pairs.push_back({30, 31, 1});
  pairs.push_back({30, 39, 1});
  for (std::int32_t i = 31; i < 39; ++i) pairs.push_back({i, i + 1, 1});
  const ItemGraph graph = make_graph(40, pairs);
  const auto labels = spectral_clusters(graph, 4);
  std::vector<int> sizes(4, 0);
  for (const std::int32_t label : labels) ++sizes[static_cast<std::size_t>(label)];
  EXPECT_EQ(*std::min_element(sizes.begin(), sizes.end()), 9);
  EXPECT_LE(*std::max_element(sizes.begin(), sizes.end()), 12);
  for (std::int32_t t = 0; t < 10; ++t) {
    EXPECT_EQ(std::set<std::int32_t>(labels.begin() + 3 * t, labels.begin() + 3 * t + 3).size(), 1u) << t;
  }
}

TEST(SpectralClusters, EdgeCases) {
  EXPECT_EQ(spectral_clusters(make_graph(4, {}), 3), (std::vector<std::int32_t>{0, 0, 0, 0}));
  // One pair and three isolated nodes: a part for each of the pair, the others to the smallest.
  const std::vector<PairCount> pair = {{1, 3, 5}};
  EXPECT_EQ(spectral_clusters(make_graph(5, pair), 3), (std::vector<std::int32_t>{0, 0, 1, 1, 0}));
  EXPECT_EQ(components(make_graph(5, pair)), (std::vector<std::int32_t>{0, 1, 2, 1, 3}));
  // A complete graph with equal weights has no structure; every label in use, and it ends.
  std::vector<PairCount> complete;
  for (std::int32_t i = 0; i < 30; ++i) {
    for (std::int32_t j = i + 1; j < 30; ++j) complete.push_back({i, j, 1});
  }
  const auto labels = spectral_clusters(make_graph(30, complete), 4);
  const std::set<std::int32_t> used(labels.begin(), labels.end());
  EXPECT_EQ(static_cast<std::size_t>(*used.rbegin()) + 1, used.size());
}

TEST(SpectralClusters, AreReproducible) {
  const ItemGraph graph = block_graph(400, 8, 40, 24, 3);
  EXPECT_EQ(spectral_clusters(graph, 10), spectral_clusters(graph, 10));
}

TEST(ItemGraph, InducedKeepsWeightsAndRenumbers) {
  const std::vector<PairCount> pairs = {{0, 1, 2}, {0, 3, 4}, {1, 3, 6}, {2, 3, 8}};
  const ItemGraph part = induced(make_graph(4, pairs), std::vector<std::int32_t>{1, 2, 3});
  EXPECT_EQ(part.offsets, (std::vector<std::int64_t>{0, 1, 2, 4}));
  EXPECT_EQ(part.neighbours, (std::vector<std::int32_t>{2, 2, 0, 1}));
  EXPECT_EQ(part.weights, (std::vector<double>{6, 8, 6, 8}));
}

}  // namespace
}  // namespace genrec
