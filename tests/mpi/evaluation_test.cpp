#include <gmock/gmock.h>

#include <cmath>

#include "base/random.h"
#include "eval/evaluator.h"
#include "eval/metrics.h"
#include "eval/popularity.h"
#include "mpi/mpi_main.h"
#include "unit/decoding/tiny_model.h"
#include "unit/decoding/tries.h"

namespace genrec {
namespace {

constexpr std::int64_t kUsers = 40, kItems = 50;

/// The users u of 40 with u % parts == part; a part may be empty.
Dataset part_of_dataset(std::int64_t part, std::int64_t parts) {
  Dataset dataset;
  dataset.catalogue.titles.resize(kItems);
  dataset.interactions.offsets.assign(1, 0);
  RandomStream random(5, Purpose::kTest);
  for (std::int64_t user = 0; user < kUsers; ++user) {
    std::vector<ItemId> history(3 + random.below(6));
    for (ItemId& item : history) item = static_cast<ItemId>(random.below(kItems));
    dataset.lengths.push_back(static_cast<std::int32_t>(history.size()));
    if (user % parts != part) continue;
    auto& mine = dataset.interactions;
    mine.users.push_back(static_cast<UserId>(user));
    mine.items.insert(mine.items.end(), history.begin(), history.end());
    mine.offsets.push_back(static_cast<std::int64_t>(mine.items.size()));
  }
  return dataset;
}

EvaluationReport evaluated(const Dataset& dataset, std::int64_t users, Communicator& world) {
  T5Model model(test::tiny_config(), at::kCPU, Precision::kFloat32);
  model.initialise(3);
  const PrefixTrie trie = test::trie_of(test::random_sequences(kItems, 2, 2, 8, 1));
  const SampleSource source = [&](Sample sample, PackedSequences& sources) {
    for (ItemId item : history_of(dataset.interactions, sample, 10)) sources.tokens.push_back(3 + item % 40);
    sources.tokens.push_back(kEndToken);
    sources.close_sequence();
  };
  EvaluatorOptions options;
  options.ranking.beams.beams = 12;
  options.ranking.block = 1;
  options.users = users;
  return evaluate(model, trie, dataset, Split::kTest, source, options, world);
}

/// Ranks with and without users: the metrics are those of one rank that holds everybody, to the last bit.
TEST(DistributedEvaluation, IsThatOfOneRank) {
  Communicator& world = test::runtime().world();
  const auto alone = make_single_communicator();
  const Dataset whole = part_of_dataset(0, 1);
  // The last rank has nobody, where there is more than one.
  const std::int64_t parts = std::max(1, world.size() - 1);
  const Dataset mine = part_of_dataset(world.rank() < parts ? world.rank() : -1, parts);
  for (std::int64_t users : {0, 7}) {
    const EvaluationReport expected = evaluated(whole, users, *alone);
    const EvaluationReport report = evaluated(mine, users, world);
    EXPECT_EQ(report.users, users == 0 ? kUsers : users);
    EXPECT_EQ(report.by_item, expected.by_item);
    EXPECT_EQ(report.by_identifier, expected.by_identifier);
    const std::vector<std::int32_t> ks{5, 10};
    EXPECT_EQ(popularity_baseline(mine, Split::kTest, ks, users, 1, world),
              popularity_baseline(whole, Split::kTest, ks, users, 1, *alone));
  }
}

}  // namespace
}  // namespace genrec
