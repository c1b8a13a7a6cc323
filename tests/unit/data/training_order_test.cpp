#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "data/virtual_shards.h"
#include "data/whole_dataset.h"

namespace genrec {
namespace {

constexpr std::uint64_t kSeed = 7;

/// Histories of 0 to 40 items, most of them short.
WholeDataset uneven_users(std::int64_t users) {
  WholeDataset whole;
  RandomStream stream(3, Purpose::kTest);
  for (std::int64_t user = 0; user < users; ++user) {
    const std::uint64_t length = stream.below(10) == 0 ? stream.below(41) : stream.below(9);
    for (std::uint64_t i = 0; i < length; ++i) whole.items.push_back(static_cast<ItemId>(i));
    whole.offsets.push_back(static_cast<std::int64_t>(whole.items.size()));
  }
  whole.catalogue.titles.resize(41);
  whole.catalogue.descriptions.resize(41);
  return whole;
}

/// Global batch keys of each step of an epoch, sorted within a step.
std::vector<std::vector<std::uint64_t>> batches(const WholeDataset& whole, std::int32_t shards, int ranks,
                                                std::int64_t batch, std::int64_t epoch) {
  std::vector<std::vector<std::uint64_t>> steps;
  for (int rank = 0; rank < ranks; ++rank) {
    const Dataset mine = share_of_rank(whole, shards, kSeed, rank, ranks);
    const VirtualShards deal(mine.lengths, shards, kSeed);
    TrainingOrder order(deal, mine.interactions, rank, ranks, batch, kSeed);
    steps.resize(static_cast<std::size_t>(order.steps_per_epoch()));
    for (std::size_t step = 0; step < steps.size(); ++step) {
      for (const Sample sample : order.samples(epoch, static_cast<std::int64_t>(step))) {
        const UserId user = mine.interactions.users[static_cast<std::size_t>(sample.row)];
        steps[step].push_back(sample_key(user, sample.target));
      }
    }
  }
  for (auto& step : steps) std::sort(step.begin(), step.end());
  return steps;
}

std::vector<std::uint64_t> all_keys(const WholeDataset& whole) {
  std::vector<std::uint64_t> keys;
  for (std::int64_t user = 0; user < whole.users(); ++user) {
    for (std::size_t target = 1; target + 2 < whole.row(user).size(); ++target) {
      keys.push_back(sample_key(static_cast<UserId>(user), static_cast<std::int32_t>(target)));
    }
  }
  return keys;
}

class RankCounts : public testing::TestWithParam<std::tuple<std::int32_t, std::int64_t>> {};

TEST_P(RankCounts, GiveTheSameGlobalBatches) {
  const auto [shards, batch] = GetParam();
  const WholeDataset whole = uneven_users(900);
  const auto expected = batches(whole, shards, 1, batch, 2);
  for (const int ranks : {2, 3, 4, 8}) EXPECT_EQ(batches(whole, shards, ranks, batch, 2), expected) << ranks;
}

TEST_P(RankCounts, EverySampleOnceAnEpoch) {
  const auto [shards, batch] = GetParam();
  const WholeDataset whole = uneven_users(900);
  const auto steps = batches(whole, shards, 3, batch, 0);
  std::vector<std::uint64_t> seen;
  for (const auto& step : steps) seen.insert(seen.end(), step.begin(), step.end());
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, all_keys(whole));
}

TEST_P(RankCounts, BatchesAreFullUntilShardsRunOut) {
  const auto [shards, batch] = GetParam();
  const auto steps = batches(uneven_users(900), shards, 2, batch, 1);
  ASSERT_GE(steps.size(), 2u);
  EXPECT_FALSE(steps.back().empty());
  const auto full = static_cast<std::size_t>(batch);
  // Shards are level to within one sample, so only the last two rounds of all shards fall short.
  const std::size_t short_steps = 2 + 2 * static_cast<std::size_t>(shards / batch);
  for (std::size_t step = 0; step + short_steps < steps.size(); ++step)
    EXPECT_EQ(steps[step].size(), full) << step;
}

INSTANTIATE_TEST_SUITE_P(ShardsAndBatches, RankCounts,
                         testing::Values(std::tuple(64, 256), std::tuple(64, 37), std::tuple(64, 101),
                                         std::tuple(8, 3), std::tuple(10, 256), std::tuple(9, 1)));

TEST(TrainingOrder, DiffersBetweenEpochsAndSeeds) {
  const WholeDataset whole = uneven_users(300);
  EXPECT_NE(batches(whole, 16, 1, 32, 0), batches(whole, 16, 1, 32, 1));
  EXPECT_EQ(batches(whole, 16, 1, 32, 1), batches(whole, 16, 1, 32, 1));
}

TEST(TrainingOrder, AnyStepCanBeAskedForFirst) {
  const Dataset mine = share_of_rank(uneven_users(300), 16, kSeed, 0, 1);
  const VirtualShards deal(mine.lengths, 16, kSeed);
  TrainingOrder straight(deal, mine.interactions, 0, 1, 32, kSeed);
  TrainingOrder resumed(deal, mine.interactions, 0, 1, 32, kSeed);
  for (std::int64_t step = 0; step < 5; ++step) (void)straight.samples(1, step);
  const auto a = straight.samples(1, 5), b = resumed.samples(1, 5);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].row, b[i].row);
    EXPECT_EQ(a[i].target, b[i].target);
  }
}

TEST(TrainingOrder, NoSamplesMeansNoSteps) {
  WholeDataset whole;
  whole.catalogue.titles.resize(3);
  whole.catalogue.descriptions.resize(3);
  whole.items = {0, 1, 2};
  whole.offsets = {0, 3, 3};
  const Dataset mine = share_of_rank(whole, 4, kSeed, 0, 1);
  TrainingOrder order(VirtualShards(mine.lengths, 4, kSeed), mine.interactions, 0, 1, 8, kSeed);
  EXPECT_EQ(order.steps_per_epoch(), 0);
  EXPECT_TRUE(order.samples(0, 0).empty());
}

TEST(VirtualShards, AreLevelInSamplesAndUsers) {
  const Dataset mine = share_of_rank(uneven_users(5000), 64, kSeed, 0, 1);
  const VirtualShards deal(mine.lengths, 64, kSeed);
  std::vector<std::int64_t> users(64, 0), samples(64, 0);
  for (UserId user = 0; user < 5000; ++user) {
    const auto shard = static_cast<std::size_t>(deal.shard_of(user));
    ++users[shard];
    samples[shard] += training_samples(mine.lengths[static_cast<std::size_t>(user)]);
  }
  for (std::int32_t s = 0; s < 64; ++s) EXPECT_EQ(deal.samples(s), samples[static_cast<std::size_t>(s)]);
  const auto [low, high] = std::minmax_element(samples.begin(), samples.end());
  EXPECT_LE(*high - *low, 1);
  const auto [few, many] = std::minmax_element(users.begin(), users.end());
  EXPECT_LE(*many - *few, 2);
}

TEST(VirtualShards, EveryUserHasOneRankAtAnyCount) {
  const Dataset mine = share_of_rank(uneven_users(500), 64, kSeed, 0, 1);
  const VirtualShards deal(mine.lengths, 64, kSeed);
  for (const int ranks : {1, 2, 3, 5, 64}) {
    std::multiset<UserId> all;
    for (int rank = 0; rank < ranks; ++rank) {
      const auto users = deal.users_of_rank(rank, ranks);
      EXPECT_TRUE(std::is_sorted(users.begin(), users.end()));
      all.insert(users.begin(), users.end());
    }
    std::vector<UserId> expected(500);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_TRUE(std::equal(all.begin(), all.end(), expected.begin(), expected.end()));
  }
  const VirtualShards other(mine.lengths, 64, kSeed + 1);
  EXPECT_NE(deal.users_of_rank(0, 2), other.users_of_rank(0, 2));
}

TEST(EvaluationSamples, AreTheLastTwoOfHistoriesOfThreeOrMore) {
  Interactions mine{{0, 1, 2, 3}, {0, 0, 2, 5, 10}, {0, 1, 0, 1, 2, 0, 1, 2, 3, 4}};
  const auto test = evaluation_samples(mine, Split::kTest), valid = evaluation_samples(mine, Split::kValid);
  ASSERT_EQ(test.size(), 2u);
  EXPECT_EQ(test[0].row, 2);
  EXPECT_EQ(test[0].target, 2);
  EXPECT_EQ(test[1].target, 4);
  ASSERT_EQ(valid.size(), 2u);
  EXPECT_EQ(valid[1].target, 3);
  const auto history = history_of(mine, test[1], 3);
  EXPECT_EQ(std::vector<ItemId>(history.begin(), history.end()), (std::vector<ItemId>{1, 2, 3}));
  EXPECT_THROW((void)evaluation_samples(mine, Split::kTrain), Error);
}

}  // namespace
}  // namespace genrec
