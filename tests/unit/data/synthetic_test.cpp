#include "data/synthetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.h"
#include "data/load_dataset.h"

namespace genrec {
namespace {

TEST(Synthetic, IsAFunctionOfTheSeed) {
  const WholeDataset a = make_synthetic({}, 42), b = make_synthetic({}, 42), c = make_synthetic({}, 43);
  EXPECT_EQ(fingerprint(a), fingerprint(b));
  EXPECT_NE(fingerprint(a), fingerprint(c));
  // Pinned: platforms and later versions have to draw the same.
  EXPECT_EQ(fingerprint(a).substr(0, 16), "133bc064f987648a");
}

TEST(Synthetic, HasTheSizesAsked) {
  const WholeDataset whole = make_synthetic({}, 42);
  EXPECT_EQ(whole.users(), 1200);
  EXPECT_EQ(whole.catalogue.size(), 400);
  std::size_t shortest = 1000, longest = 0;
  for (std::int64_t user = 0; user < whole.users(); ++user) {
    const auto row = whole.row(user);
    shortest = std::min(shortest, row.size());
    longest = std::max(longest, row.size());
    EXPECT_EQ(std::set<ItemId>(row.begin(), row.end()).size(), row.size());
  }
  EXPECT_EQ(shortest, 5u);
  EXPECT_GE(longest, 18u);
  EXPECT_LE(longest, 20u);
}

TEST(Synthetic, ThreeInAHundredTitlesAreDuplicates) {
  const WholeDataset whole = make_synthetic({}, 42);
  const std::set<std::string> titles(whole.catalogue.titles.begin(), whole.catalogue.titles.end());
  EXPECT_EQ(titles.size(), 400u - 12u);
  EXPECT_FALSE(titles.contains(""));
}

TEST(Synthetic, FollowsAPatternThatBeatsPopularity) {
  const WholeDataset whole = make_synthetic({}, 42);
  const std::size_t items = 400;
  std::vector<std::vector<int>> follows(items, std::vector<int>(items, 0));
  std::vector<int> popularity(items, 0);
  for (std::int64_t user = 0; user < whole.users(); ++user) {
    const auto row = whole.row(user).first(whole.row(user).size() - 1);
    for (std::size_t i = 0; i < row.size(); ++i) {
      ++popularity[static_cast<std::size_t>(row[i])];
      if (i > 0) ++follows[static_cast<std::size_t>(row[i - 1])][static_cast<std::size_t>(row[i])];
    }
  }
  const auto hit = [&](const std::vector<int>& score, ItemId target) {
    const int mine = score[static_cast<std::size_t>(target)];
    return std::count_if(score.begin(), score.end(), [mine](int other) { return other > mine; }) < 10 &&
           mine > 0;
  };
  double by_pair = 0, by_popularity = 0;
  for (std::int64_t user = 0; user < whole.users(); ++user) {
    const auto row = whole.row(user);
    const auto before = static_cast<std::size_t>(row[row.size() - 2]);
    by_pair += hit(follows[before], row.back());
    by_popularity += hit(popularity, row.back());
  }
  EXPECT_GT(by_pair / 1200, 0.5);
  EXPECT_LT(by_popularity / 1200, 0.1);
}

TEST(Synthetic, RefusesWhatDoesNotFit) {
  SyntheticOptions options;
  options.items = 30;
  EXPECT_THROW((void)make_synthetic(options, 1), UsageError);
}

TEST(Synthetic, IsWhatIsLoadedWhenNothingIsNamed) {
  DatasetRepairs repairs;
  const Dataset dataset = load_dataset({}, 42, 0, 1, repairs);
  EXPECT_EQ(dataset.name, "synthetic");
  EXPECT_EQ(dataset.fingerprint, fingerprint(make_synthetic({}, 42)));
  EXPECT_EQ(repairs, DatasetRepairs());
  EXPECT_EQ(load_dataset({}, 42, 1, 2, repairs).fingerprint, dataset.fingerprint);
}

}  // namespace
}  // namespace genrec
