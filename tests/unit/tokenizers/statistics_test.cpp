#include "tokenizers/statistics.h"

#include <gtest/gtest.h>

namespace genrec {
namespace {

TEST(IdentifierStatistics, CountsAHandMadeTable) {
  const auto table = IdentifierTable::from_strings(
      {{"a", "x"}, {"a", "x"}, {"a", "y"}, {"b", "x"}, {"a"}, {"a"}, {"a", "x", "z"}, {"c"}});
  const auto statistics = statistics_of(table);
  EXPECT_EQ(statistics.items, 8);
  EXPECT_EQ(statistics.distinct, 6);
  EXPECT_DOUBLE_EQ(statistics.collision_rate, 0.25);
  EXPECT_EQ(statistics.sharing_items, 4);
  EXPECT_EQ(statistics.largest_group, 2);
  EXPECT_EQ(statistics.shortest, 1);
  EXPECT_EQ(statistics.longest, 3);
  EXPECT_EQ(statistics.prefix_items, 4);  // "a" twice and "a x" twice
  ASSERT_EQ(statistics.positions.size(), 3u);
  EXPECT_EQ(statistics.positions[0].items, 8);
  EXPECT_EQ(statistics.positions[0].symbols, 3);
  EXPECT_EQ(statistics.positions[0].most_common, 6);
  EXPECT_NEAR(statistics.positions[0].entropy_bits, 1.0612781, 1e-6);
  EXPECT_EQ(statistics.positions[1].items, 5);
  EXPECT_EQ(statistics.positions[2].items, 1);
  EXPECT_EQ(statistics.positions[2].entropy_bits, 0);
}

TEST(IdentifierStatistics, OfNothing) {
  const auto statistics = statistics_of(IdentifierTable());
  EXPECT_EQ(statistics.items, 0);
  EXPECT_EQ(statistics.largest_group, 0);
  EXPECT_TRUE(statistics.positions.empty());
}

}  // namespace
}  // namespace genrec
