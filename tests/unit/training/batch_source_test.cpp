#include "training/batch_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "small_world.h"

namespace genrec {
namespace {

constexpr std::uint64_t kSeed = 42;

TextTokenizer small_tokenizer() {
  return TextTokenizer::train(prompt_texts(builtin_templates()), 150, 1);
}

std::vector<std::string> titles_of(ItemId items) {
  std::vector<std::string> titles;
  for (ItemId item = 0; item < items; ++item) titles.push_back("one item " + std::to_string(item));
  return titles;
}

struct Alignment {
  test::SmallWorld world;
  TextTokenizer text = small_tokenizer();
  Prompts prompts{builtin_templates(), text};
  TitlePieces titles{titles_of(test::SmallWorld::kItems), text, 64};
  AlignmentTask task{titles, world.items, prompts};
};

using Keys = std::vector<std::uint64_t>;

TEST(AlignmentSource, EveryDirectionOfEveryItemOnceAnEpoch) {
  const Alignment a;
  AlignmentSource source(a.task, 0, 1, 16, kSeed);
  ASSERT_EQ(source.steps_per_epoch(), 3);  // 40 samples: 16, 16, 8
  Keys keys;
  for (std::int64_t step = 0; step < 3; ++step) {
    const Keys part = source.batch(0, step).keys;
    EXPECT_EQ(part.size(), step < 2 ? 16U : 8U);
    keys.insert(keys.end(), part.begin(), part.end());
  }
  EXPECT_EQ(std::set<std::uint64_t>(keys.begin(), keys.end()).size(), 40U);
}

TEST(AlignmentSource, GlobalBatchesDoNotDependOnTheRankCount) {
  const Alignment a;
  AlignmentSource whole(a.task, 0, 1, 16, kSeed);
  for (int ranks : {2, 3, 4, 20}) {
    for (std::int64_t step = 0; step < 3; ++step) {
      Keys keys;
      for (int rank = 0; rank < ranks; ++rank) {
        AlignmentSource part(a.task, rank, ranks, 16, kSeed);
        const Keys mine = part.batch(1, step).keys;
        EXPECT_LE(mine.size(), static_cast<std::size_t>(16 / ranks + 1));
        keys.insert(keys.end(), mine.begin(), mine.end());
      }
      EXPECT_EQ(keys, whole.batch(1, step).keys) << ranks;
    }
  }
}

TEST(AlignmentSource, OrderFollowsEpochAndSeed) {
  const Alignment a;
  AlignmentSource source(a.task, 0, 1, 40, kSeed);
  const Keys first = source.batch(0, 0).keys;
  EXPECT_NE(first, source.batch(1, 0).keys);
  EXPECT_EQ(first, source.batch(0, 0).keys);
  AlignmentSource later(a.task, 0, 1, 40, kSeed, 1);
  EXPECT_EQ(later.batch(0, 0).keys, source.batch(1, 0).keys);
  AlignmentSource other(a.task, 0, 1, 40, kSeed + 1);
  EXPECT_NE(first, other.batch(0, 0).keys);
}

TEST(AlignmentSource, NeedsTitles) {
  const Alignment a;
  const TitlePieces none(std::vector<std::string>(test::SmallWorld::kItems), a.text, 64);
  const AlignmentTask task(none, a.world.items, a.prompts);
  EXPECT_THROW(AlignmentSource(task, 0, 1, 16, kSeed), DataError);
}

TEST(RecommendationSource, GlobalBatchesDoNotDependOnTheRankCount) {
  const test::SmallWorld world;
  const Prompts prompts;
  const VirtualShards shards(world.lengths, 4, kSeed);
  const auto keys_at = [&](int ranks, std::int64_t epoch, std::int64_t step, std::int64_t first_epoch) {
    std::multiset<std::uint64_t> keys;
    for (int rank = 0; rank < ranks; ++rank) {
      const Interactions mine = world.part(shards, rank, ranks);
      TrainingOrder order(shards, mine, rank, ranks, 8, kSeed);
      const RecommendationTask task(mine, world.items, prompts, 10, kSeed);
      RecommendationSource source(order, task, first_epoch);
      const Seq2SeqBatch batch = source.batch(epoch, step);
      keys.insert(batch.keys.begin(), batch.keys.end());
    }
    return keys;
  };
  const auto whole = keys_at(1, 0, 1, 0);
  EXPECT_FALSE(whole.empty());
  for (int ranks : {2, 4}) EXPECT_EQ(keys_at(ranks, 0, 1, 0), whole) << ranks;
  EXPECT_NE(keys_at(1, 1, 1, 0), whole);
  EXPECT_EQ(keys_at(1, 0, 1, 1), keys_at(1, 1, 1, 0));
}

}  // namespace
}  // namespace genrec
