#include "tokenizers/identifier_table.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace genrec {
namespace {

TEST(IdentifierTable, NumbersSymbolsInNaturalOrder) {
  const auto table =
      IdentifierTable::from_strings({{"<b_1>", "<a_10>"}, {"<a_2>"}, {"<a_010>", "<a_2>", "x"}});
  EXPECT_EQ(table.symbols(), (std::vector<std::string>{"<a_2>", "<a_010>", "<a_10>", "<b_1>", "x"}));
  EXPECT_EQ(table.items(), 3);
  EXPECT_EQ(table.max_length(), 3);
  EXPECT_EQ(table.strings_of(2), (std::vector<std::string>{"<a_010>", "<a_2>", "x"}));
  EXPECT_EQ(table.of(0)[1], 2);
}

TEST(IdentifierTable, FindsCollisions) {
  const auto table =
      IdentifierTable::from_strings({{"a", "b"}, {"c"}, {"a", "b"}, {"a"}, {"c"}, {"b", "a"}, {"c"}});
  EXPECT_EQ(table.collisions(), (std::vector<std::vector<ItemId>>{{0, 2}, {1, 4, 6}}));
  EXPECT_EQ(table.distinct(), 4);
  EXPECT_DOUBLE_EQ(table.collision_rate(), 3.0 / 7);
}

TEST(IdentifierTable, HashIsOfStringsNotOfNumbers) {
  const auto a = IdentifierTable::from_strings({{"x", "y"}, {"y"}});
  const IdentifierTable renumbered({"unused", "y", "x"}, {0, 2, 3}, {2, 1, 1});
  EXPECT_EQ(a.sha256(), renumbered.sha256());
  EXPECT_NE(a.sha256(), IdentifierTable::from_strings({{"xy"}, {"y"}}).sha256());
  EXPECT_NE(a.sha256(), IdentifierTable::from_strings({{"x"}, {"y", "y"}}).sha256());
  EXPECT_NE(a.sha256(), IdentifierTable::from_strings({{"y"}, {"x", "y"}}).sha256());
}

TEST(IdentifierTable, RefusesWhatIsNoTable) {
  EXPECT_THROW(IdentifierTable({"a"}, {0, 1, 1}, {0}), Error);
  EXPECT_THROW(IdentifierTable({"a"}, {0, 1}, {1}), Error);
  EXPECT_THROW(IdentifierTable({"a"}, {0, 2}, {0}), Error);
  EXPECT_THROW(IdentifierTable({"a", "a"}, {0, 1}, {0}), Error);
}

TEST(IdentifierTable, MayBeEmpty) {
  const IdentifierTable table;
  EXPECT_EQ(table.items(), 0);
  EXPECT_EQ(table.distinct(), 0);
  EXPECT_EQ(table.collision_rate(), 0);
}

}  // namespace
}  // namespace genrec
