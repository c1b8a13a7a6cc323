#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "cf/interaction_data.h"
#include "cf/keyed_permutation.h"
#include "cf/negatives.h"
#include "cf/sequential_data.h"
#include "unit/cf/small_dataset.h"

namespace genrec {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::int64_t> order_of(std::int64_t n, std::uint64_t key) {
  const KeyedPermutation permutation(n, key);
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < n; ++i) order.push_back(permutation[i]);
  return order;
}

TEST(KeyedPermutation, HitsEveryPlaceOnce) {
  for (const std::int64_t n : {1, 2, 3, 4, 5, 16, 17, 1000, 4096, 5000}) {
    std::vector<std::int64_t> order = order_of(n, 7);
    std::sort(order.begin(), order.end());
    for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i) << "n = " << n;
  }
}

TEST(KeyedPermutation, LooksRandom) {
  EXPECT_EQ(order_of(1000, 7), order_of(1000, 7));
  EXPECT_NE(order_of(1000, 7), order_of(1000, 8));
  // Over 4000 keys, where item 3 of 6 goes: six places, each with 667 +- 24 of them.
  std::map<std::int64_t, int> place;
  for (std::uint64_t key = 0; key < 4000; ++key) ++place[KeyedPermutation(6, mix64(key))[3]];
  ASSERT_EQ(place.size(), 6U);
  for (const auto& [to, count] : place) EXPECT_NEAR(count, 667, 5 * 24) << to;
  // A random order of 1000 has about one fixed point; neighbours do not stay neighbours.
  const auto order = order_of(1000, 9);
  int fixed = 0, next = 0;
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    fixed += order[i] == static_cast<std::int64_t>(i) ? 1 : 0;
    next += order[i + 1] == order[i] + 1 ? 1 : 0;
  }
  EXPECT_LT(fixed, 10);
  EXPECT_LT(next, 10);
}

TEST(DrawNegative, AvoidsWhatWasSeen) {
  RandomStream stream(1, Purpose::kTest);
  const std::vector<ItemId> seen = {0, 2, 3};
  std::set<ItemId> drawn;
  for (int i = 0; i < 200; ++i) drawn.insert(draw_negative(stream, 6, seen));
  EXPECT_THAT(drawn, ElementsAre(1, 4, 5));
  // Nothing is left: the draw ends all the same.
  EXPECT_LT(draw_negative(stream, 2, std::vector<ItemId>{0, 1}), 2);
}

TEST(SequenceBatches, AreTheTrainingPartAndItsSuccessors) {
  // Training parts: 1 2 3 4 5; 7 8; user 2 has one item only, which nothing follows.
  const Dataset dataset = test::dataset_of({{1, 2, 3, 4, 5, 6, 7}, {7, 8, 9, 10}, {1, 2, 3}}, 12);
  const SequenceBatches batches(dataset, /*history=*/3, /*batch=*/2, /*seed=*/1);
  ASSERT_EQ(batches.steps_per_epoch(), 1);
  const SequenceBatch batch = batches.batch(0, 0, false);
  ASSERT_EQ(batch.sequences(), 2);
  const bool first_is_0 = batch.users[0] == 0;
  EXPECT_THAT(batch.users, first_is_0 ? ElementsAre(0, 1) : ElementsAre(1, 0));
  EXPECT_THAT(batch.items, first_is_0 ? ElementsAre(2, 3, 4, 7) : ElementsAre(7, 2, 3, 4));
  EXPECT_THAT(batch.targets, first_is_0 ? ElementsAre(3, 4, 5, 8) : ElementsAre(8, 3, 4, 5));
  EXPECT_THAT(batch.offsets, first_is_0 ? ElementsAre(0, 3, 4) : ElementsAre(0, 1, 4));
  EXPECT_THAT(batch.negatives, IsEmpty());
}

TEST(SequenceBatches, NobodyToTrainOnIsAnError) {
  const Dataset dataset = test::dataset_of({{1, 2, 3}}, 5);
  EXPECT_THROW(SequenceBatches(dataset, 10, 4, 1), DataError);
}

struct Drawn {
  std::vector<ItemId> items, targets, negatives;
  bool operator==(const Drawn&) const = default;
};

/// The users' sequences of one global batch, collected from all parts.
std::map<UserId, Drawn> sequences(const std::vector<std::vector<ItemId>>& histories, std::int64_t parts,
                                  std::int64_t epoch, std::int64_t step) {
  std::map<UserId, Drawn> all;
  for (std::int64_t part = 0; part < parts; ++part) {
    const Dataset dataset = test::dataset_of(histories, 30, part, parts);
    const SequenceBatch batch = SequenceBatches(dataset, 5, 7, 3).batch(epoch, step, true);
    for (std::size_t s = 0; s < batch.users.size(); ++s) {
      const auto slice = [&](const std::vector<ItemId>& values) {
        return std::vector<ItemId>(values.begin() + batch.offsets[s], values.begin() + batch.offsets[s + 1]);
      };
      all[batch.users[s]] = {slice(batch.items), slice(batch.targets), slice(batch.negatives)};
    }
  }
  return all;
}

TEST(SequenceBatches, DoNotDependOnTheRanks) {
  const auto histories = test::random_histories(24, 30, 10, 4);
  std::set<UserId> seen;
  for (std::int64_t step = 0; step < 4; ++step) {
    const auto one = sequences(histories, 1, 2, step);
    EXPECT_EQ(one, sequences(histories, 3, 2, step)) << "step " << step;
    for (const auto& [user, drawn] : one) {
      EXPECT_TRUE(seen.insert(user).second) << "user " << user << " came twice";
      const auto& history = histories[static_cast<std::size_t>(user)];
      for (const ItemId negative : drawn.negatives) {
        EXPECT_EQ(std::find(history.begin(), history.end() - 2, negative), history.end() - 2);
      }
      EXPECT_EQ(drawn.targets.back(), history[history.size() - 3]);
    }
  }
  std::size_t trainable = 0;
  for (const auto& history : histories) trainable += history.size() >= 4 ? 1 : 0;
  EXPECT_EQ(seen.size(), trainable);
  EXPECT_NE(sequences(histories, 1, 2, 0), sequences(histories, 1, 3, 0)) << "epochs differ";
}

TEST(InteractionBatches, EveryTrainingInteractionOnceAnEpoch) {
  const auto histories = test::random_histories(20, 30, 10, 5);
  std::multiset<std::pair<UserId, ItemId>> expected;
  for (std::size_t user = 0; user < histories.size(); ++user) {
    for (std::size_t i = 0; i + 2 < histories[user].size(); ++i) {
      expected.emplace(static_cast<UserId>(user), histories[user][i]);
    }
  }
  for (const std::int64_t parts : {1, 3}) {
    std::multiset<std::pair<UserId, ItemId>> seen;
    for (std::int64_t part = 0; part < parts; ++part) {
      const Dataset dataset = test::dataset_of(histories, 30, part, parts);
      const InteractionBatches batches(dataset, 16, 3);
      ASSERT_EQ(batches.steps_per_epoch(), (static_cast<std::int64_t>(expected.size()) + 15) / 16);
      for (std::int64_t step = 0; step < batches.steps_per_epoch(); ++step) {
        const InteractionBatch batch = batches.batch(1, step, true);
        ASSERT_EQ(batch.negatives.size(), batch.positives.size());
        for (std::size_t i = 0; i < batch.rows.size(); ++i) {
          const UserId user = dataset.interactions.users[static_cast<std::size_t>(batch.rows[i])];
          seen.emplace(user, batch.positives[i]);
          EXPECT_FALSE(expected.contains({user, batch.negatives[i]}));
        }
      }
    }
    EXPECT_EQ(seen, expected) << parts << " parts";
  }
}

}  // namespace
}  // namespace genrec
