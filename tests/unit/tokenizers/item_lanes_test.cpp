#include "tokenizers/rqvae/item_lanes.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace genrec {
namespace {

using ::testing::ElementsAreArray;

std::vector<std::int64_t> numbers_below(std::int64_t n) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return numbers;
}

TEST(ItemLanes, EveryItemOnceAnEpochInFullBatches) {
  for (const std::int64_t items : {1, 7, 32, 33, 100}) {
    const ItemLanes lanes(items, 32, 1);
    const LaneEpoch epoch = lanes.epoch(3, 0, 1);
    std::vector<std::int64_t> places = epoch.places;
    std::sort(places.begin(), places.end());
    EXPECT_EQ(places, numbers_below(items));
    std::vector<std::int64_t> of_items(lanes.item_of_place().begin(), lanes.item_of_place().end());
    std::sort(of_items.begin(), of_items.end());
    EXPECT_EQ(of_items, numbers_below(items));
    ASSERT_EQ(static_cast<std::int64_t>(epoch.steps.size()), (items + 31) / 32);
    for (std::size_t s = 0; s + 1 < epoch.steps.size(); ++s) EXPECT_EQ(epoch.steps[s].batch(), 32);
    EXPECT_EQ(epoch.steps.back().places.end, items);
  }
}

TEST(ItemLanes, BatchesAreTheSameAtAnyNumberOfRanks) {
  const ItemLanes lanes(101, 16, 1);
  const LaneEpoch single = lanes.epoch(2, 0, 1);
  for (const int ranks : {2, 3, 5, 20}) {  // the last has ranks without a lane
    std::vector<std::int64_t> next(single.steps.size());
    std::int64_t place = 0;
    for (std::size_t s = 0; s < single.steps.size(); ++s) next[s] = single.steps[s].places.begin;
    for (int rank = 0; rank < ranks; ++rank) {
      const LaneEpoch epoch = lanes.epoch(2, rank, ranks);
      EXPECT_EQ(epoch.places, single.places);
      const Range own = lanes.places_of_rank(rank, ranks);
      if (own.size() > 0) {
        EXPECT_EQ(own.begin, place);
        place = own.end;
      }
      for (std::size_t s = 0; s < epoch.steps.size(); ++s) {
        const LaneEpoch::Step& step = epoch.steps[s];
        EXPECT_EQ(step.places, single.steps[s].places);
        for (std::int64_t i = step.mine.begin; i < step.mine.end; ++i) {
          const std::int64_t mine = epoch.places[static_cast<std::size_t>(i)];
          EXPECT_TRUE(own.begin <= mine && mine < own.end);
        }
        if (step.mine.size() == 0) continue;
        EXPECT_EQ(step.mine.begin, next[s]) << "shares follow each other in the order of the ranks";
        next[s] = step.mine.end;
      }
    }
    EXPECT_EQ(place, 101);
    for (std::size_t s = 0; s < single.steps.size(); ++s) EXPECT_EQ(next[s], single.steps[s].places.end);
  }
}

TEST(ItemLanes, RanksHaveEqualShares) {
  const ItemLanes lanes(1000, 64, 1);
  for (int rank = 0; rank < 4; ++rank) {
    const LaneEpoch epoch = lanes.epoch(0, rank, 4);
    for (std::size_t s = 0; s + 1 < epoch.steps.size(); ++s) EXPECT_EQ(epoch.steps[s].mine.size(), 16);
    EXPECT_NEAR(static_cast<double>(epoch.steps.back().mine.size()), 1000 % 64 / 4.0, 1);
  }
}

TEST(ItemLanes, EpochsAndSeedsDiffer) {
  const ItemLanes lanes(100, 10, 1), same(100, 10, 1), other(100, 10, 2);
  EXPECT_EQ(lanes.epoch(4, 0, 1).places, same.epoch(4, 0, 1).places);
  EXPECT_NE(lanes.epoch(4, 0, 1).places, lanes.epoch(5, 0, 1).places);
  EXPECT_NE(lanes.item_of_place(), other.item_of_place());
}

}  // namespace
}  // namespace genrec
