#include "siit/adjustment.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace genrec {
namespace {

TEST(AdjustmentRatio, CountsItemsWhoseIdentifierChanged) {
  const auto before = IdentifierTable::from_strings(
      {{"<a_1>", "<b_1>"}, {"<a_1>", "<b_2>"}, {"<a_2>", "<b_1>"}, {"<a_3>", "<b_1>"}});
  // Item 1 swaps a symbol, item 3 gets longer; other symbols shift all numbers.
  const auto after = IdentifierTable::from_strings(
      {{"<a_1>", "<b_1>"}, {"<a_0>", "<b_2>"}, {"<a_2>", "<b_1>"}, {"<a_3>", "<b_1>", "<b_1>"}});
  EXPECT_DOUBLE_EQ(adjustment_ratio(before, after), 0.5);
  EXPECT_DOUBLE_EQ(adjustment_ratio(before, before), 0);
}

TEST(AdjustmentRatio, DisregardsCollisionAvoidance) {
  const auto before = IdentifierTable::from_strings({{"<a_1>", "<x_0>"}, {"<a_1>", "<x_1>"}, {"<a_2>"}});
  const auto after = IdentifierTable::from_strings({{"<a_1>"}, {"<a_2>", "<x_0>"}, {"<a_2>", "<x_1>"}});
  EXPECT_DOUBLE_EQ(adjustment_ratio(before, after), 1.0 / 3);
}

TEST(AdjustmentRatio, RefusesTablesOfDifferentItems) {
  EXPECT_THROW((void)adjustment_ratio(IdentifierTable::from_strings({{"<a_1>"}}),
                                      IdentifierTable::from_strings({{"<a_1>"}, {"<a_2>"}})),
               Error);
}

}  // namespace
}  // namespace genrec
