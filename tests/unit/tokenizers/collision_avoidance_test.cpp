#include "tokenizers/collision_avoidance.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace genrec {
namespace {

using Strings = std::vector<std::string>;

TEST(CollisionAvoidance, EveryMemberOfAGroupGetsASymbol) {
  const auto table =
      IdentifierTable::from_strings({{"<a_1>"}, {"<a_2>"}, {"<a_1>"}, {"<a_1>", "<b_0>"}, {"<a_1>"}});
  const IdentifierTable avoided = avoid_collisions(table);
  const std::vector<Strings> expected = {
      {"<a_1>", "<x_0>"}, {"<a_2>"}, {"<a_1>", "<x_1>"}, {"<a_1>", "<b_0>"}, {"<a_1>", "<x_2>"}};
  for (ItemId item = 0; item < 5; ++item) {
    EXPECT_EQ(avoided.strings_of(item), expected[static_cast<std::size_t>(item)]) << item;
  }
  EXPECT_EQ(avoided.distinct(), 5);
}

TEST(CollisionAvoidance, LeavesATableWithoutCollisionsAlone) {
  const auto table = IdentifierTable::from_strings({{"<a_1>"}, {"<a_1>", "<b_0>"}});
  const IdentifierTable avoided = avoid_collisions(table);
  EXPECT_EQ(avoided.sha256(), table.sha256());
  EXPECT_EQ(avoided.symbols(), table.symbols());
}

}  // namespace
}  // namespace genrec
