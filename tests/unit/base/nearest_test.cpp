#include "base/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace genrec {
namespace {

TEST(EditDistance, CountsEachKindOfEdit) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("abc", "abc"), 0);
  EXPECT_EQ(edit_distance("abc", "abcd"), 1);
  EXPECT_EQ(edit_distance("abc", "ac"), 1);
  EXPECT_EQ(edit_distance("abc", "axc"), 1);
  EXPECT_EQ(edit_distance("abc", "acb"), 1);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
}

TEST(NearestName, PicksTheNearestAndTheFirstOfEquals) {
  const std::vector<std::string> names = {"train.lr", "train.epochs", "train.batch", "decode.batch"};
  EXPECT_EQ(nearest_name("train.epoch", names), "train.epochs");
  EXPECT_EQ(nearest_name("trian.lr", names), "train.lr");
  EXPECT_EQ(nearest_name("decod.bach", names), "decode.batch");
  EXPECT_EQ(nearest_name("b", std::vector<std::string>{"a", "c"}), "a");
  EXPECT_EQ(nearest_name("a", {}), "");
}

}  // namespace
}  // namespace genrec
