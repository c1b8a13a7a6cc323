#include "eval/code_overlap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace genrec {
namespace {

constexpr std::int64_t kItems = 41, kWidth = 5;

Embeddings random_vectors() {
  RandomStream stream(1, Purpose::kTest);
  std::vector<float> values;
  for (std::int64_t i = 0; i < kItems; ++i) {
    const double length = 0.2 + 3 * stream.uniform();
    for (std::int64_t d = 0; d < kWidth; ++d) values.push_back(static_cast<float>(length * stream.normal()));
  }
  return make_embeddings(std::move(values), kWidth, "random", "");
}

IdentifierTable random_table() {
  RandomStream stream(2, Purpose::kTest);
  std::vector<std::vector<std::string>> identifiers(kItems);
  for (auto& identifier : identifiers) {
    const std::uint64_t length = 1 + stream.below(4);
    for (std::uint64_t p = 0; p < length; ++p) identifier.push_back(std::to_string(stream.below(3)));
  }
  return IdentifierTable::from_strings(identifiers);
}

double dot(const Embeddings& x, std::int64_t i, std::int64_t j) {
  double sum = 0;
  for (std::size_t d = 0; d < x.row(i).size(); ++d) sum += static_cast<double>(x.row(i)[d]) * x.row(j)[d];
  return sum;
}

NearestItems by_pairs(const Embeddings& x) {
  NearestItems nearest;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    double best = -std::numeric_limits<double>::infinity(), best_cosine = best;
    nearest.by_product.push_back(0);
    nearest.by_cosine.push_back(0);
    for (std::int64_t j = 0; j < x.rows; ++j) {
      if (i == j) continue;
      const double product = dot(x, i, j), cosine = product / std::sqrt(dot(x, i, i) * dot(x, j, j));
      if (product > best) {
        best = product;
        nearest.by_product.back() = static_cast<ItemId>(j);
      }
      if (cosine > best_cosine) {
        best_cosine = cosine;
        nearest.by_cosine.back() = static_cast<ItemId>(j);
      }
    }
  }
  return nearest;
}

int matches(const IdentifierTable& table, ItemId a, ItemId b) {
  int count = 0;
  for (std::size_t p = 0; p < std::min(table.of(a).size(), table.of(b).size()); ++p) {
    count += table.of(a)[p] == table.of(b)[p] ? 1 : 0;
  }
  return count;
}

TEST(NearestItems, AreThoseOfAllPairsInBlocksOfAnySize) {
  const Embeddings vectors = random_vectors();
  const NearestItems expected = by_pairs(vectors);
  ASSERT_NE(expected.by_product, expected.by_cosine);
  for (const std::int64_t block : {0, 1, 7, 41, 100}) {
    const NearestItems found = nearest_items(vectors, block);
    EXPECT_EQ(found.by_product, expected.by_product) << "block " << block;
    EXPECT_EQ(found.by_cosine, expected.by_cosine) << "block " << block;
  }
}

TEST(NearestItems, OfOneItemAreAnError) {
  EXPECT_THROW((void)nearest_items(make_embeddings({1, 2}, 2, "", "")), DataError);
}

TEST(NeighbourOverlap, IsTheMeanOverAllItems) {
  const Embeddings vectors = random_vectors();
  const IdentifierTable table = random_table();
  const NearestItems nearest = by_pairs(vectors);
  double product = 0, cosine = 0, share = 0;
  for (ItemId item = 0; item < kItems; ++item) {
    const auto i = static_cast<std::size_t>(item);
    product += matches(table, item, nearest.by_product[i]);
    cosine += matches(table, item, nearest.by_cosine[i]);
    share += matches(table, item, nearest.by_product[i]) / static_cast<double>(table.of(item).size());
  }
  const NeighbourOverlap overlap = neighbour_overlap(table, vectors);
  EXPECT_EQ(overlap.items, kItems);
  EXPECT_NEAR(overlap.by_product.matches, product / kItems, 1e-12);
  EXPECT_NEAR(overlap.by_product.share, share / kItems, 1e-12);
  EXPECT_NEAR(overlap.by_cosine.matches, cosine / kItems, 1e-12);
}

TEST(NeighbourOverlap, ByHandWithoutTheItemThatHasNoVector) {
  // Item 0 is nearest to 1 by the angle, to the long item 2 by the product. Item 3 has no vector.
  const Embeddings vectors = make_embeddings({1, 0, 1, 0.1F, 3, 3, 0, 0}, 2, "", "");
  const auto table = IdentifierTable::from_strings(
      {{"a", "b", "c", "d"}, {"a", "b", "c", "e"}, {"a", "x", "y", "z"}, {"a", "b", "c", "d"}});
  const NeighbourOverlap overlap = neighbour_overlap(table, vectors);
  EXPECT_EQ(overlap.items, 3);
  EXPECT_DOUBLE_EQ(overlap.by_product.matches, (1.0 + 1 + 1) / 3);  // 0 and 1 to 2, 2 to 1
  EXPECT_DOUBLE_EQ(overlap.by_product.share, 0.25);
  EXPECT_DOUBLE_EQ(overlap.by_cosine.matches, (3.0 + 3 + 1) / 3);  // 0 and 1 to each other, 2 to 1
}

TEST(NeighbourOverlap, NeedsAVectorAnItem) {
  EXPECT_THROW((void)neighbour_overlap(random_table(), make_embeddings({1, 2, 3, 4}, 2, "", "")), DataError);
}

TEST(MeanOverlap, IsThatOfAllPairs) {
  const IdentifierTable table = random_table();
  double sum = 0;
  for (ItemId a = 0; a < kItems; ++a) {
    for (ItemId b = 0; b < kItems; ++b) sum += a == b ? 0 : matches(table, a, b);
  }
  EXPECT_NEAR(mean_overlap(table), sum / (kItems * (kItems - 1)), 1e-12);
  EXPECT_EQ(mean_overlap(IdentifierTable::from_strings({{"a"}})), 0);
}

}  // namespace
}  // namespace genrec
