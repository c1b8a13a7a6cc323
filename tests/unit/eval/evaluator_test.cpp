#include "eval/evaluator.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "data/virtual_shards.h"
#include "eval/popularity.h"
#include "eval/user_sample.h"
#include "unit/decoding/tiny_model.h"
#include "unit/decoding/tries.h"

namespace genrec {
namespace {

using ::testing::ElementsAre;

Dataset dataset_of(const std::vector<std::vector<ItemId>>& histories, std::int64_t items) {
  Dataset dataset;
  dataset.catalogue.titles.resize(static_cast<std::size_t>(items));
  dataset.interactions.offsets.assign(1, 0);
  for (std::size_t u = 0; u < histories.size(); ++u) {
    auto& all = dataset.interactions.items;
    all.insert(all.end(), histories[u].begin(), histories[u].end());
    dataset.interactions.users.push_back(static_cast<UserId>(u));
    dataset.interactions.offsets.push_back(static_cast<std::int64_t>(all.size()));
    dataset.lengths.push_back(static_cast<std::int32_t>(histories[u].size()));
  }
  return dataset;
}

Dataset random_dataset(std::int64_t users, std::int64_t items) {
  std::vector<std::vector<ItemId>> histories;
  RandomStream random(3, Purpose::kTest);
  for (std::int64_t u = 0; u < users; ++u) {
    auto& history = histories.emplace_back(3 + random.below(5));
    for (ItemId& item : history) item = static_cast<ItemId>(random.below(static_cast<std::uint64_t>(items)));
  }
  return dataset_of(histories, items);
}

/// Identifiers of 60 items of which the last 10 share those of the first.
PrefixTrie colliding_trie() {
  auto identifiers = test::random_sequences(50, 2, 2, 8, 1);
  for (std::size_t i = 0; i < 10; ++i) identifiers.push_back(identifiers[i]);
  return test::trie_of(identifiers);
}

struct Evaluated {
  Dataset dataset = random_dataset(70, 60);
  PrefixTrie trie = colliding_trie();
  T5Model model{test::tiny_config(), at::kCPU, Precision::kFloat32};
  EvaluatorOptions options;
  std::unique_ptr<Communicator> world = make_single_communicator();

  Evaluated() {
    model.initialise(2);
    options.ranking.beams.beams = 20;
    options.ranking.block = 16;
  }
  /// Histories as plain tokens.
  [[nodiscard]] SampleSource source() const {
    return [this](Sample sample, PackedSequences& sources) {
      for (ItemId item : history_of(dataset.interactions, sample, 10))
        sources.tokens.push_back(3 + item % 40);
      sources.tokens.push_back(kEndToken);
      sources.close_sequence();
    };
  }
  [[nodiscard]] EvaluationReport run(Split split = Split::kTest) const {
    return evaluate(model, trie, dataset, split, source(), options, *world);
  }
};

TEST(Evaluator, IsWhatTheRankingsSay) {
  Evaluated e;
  std::map<int, double> recall, ndcg, identifier_recall;
  std::map<int, std::set<ItemId>> seen;
  const auto samples = evaluation_samples(e.dataset.interactions, Split::kTest);
  ASSERT_EQ(samples.size(), 70U);
  const auto count = [&](Sample sample, std::span<const Hypothesis> hypotheses) {
    const UserId user = e.dataset.interactions.users[static_cast<std::size_t>(sample.row)];
    const ItemId target = e.dataset.interactions.row(sample.row).back();
    const auto ranking = rank_items(hypotheses, e.trie, 10, e.options.ranking.seed, user);
    for (int k : {5, 10}) {
      for (int r = 0; r < k; ++r) {
        const ItemId item = ranking[static_cast<std::size_t>(r)].item;
        seen[k].insert(item);
        recall[k] += item == target ? 1.0 / 70 : 0;
        ndcg[k] += item == target ? 1 / std::log2(r + 2) / 70 : 0;
        const auto items = e.trie.items_at(hypotheses[static_cast<std::size_t>(r)].node);
        identifier_recall[k] += std::ranges::count(items, target) > 0 ? 1.0 / 70 : 0;
      }
    }
  };
  rank_samples(e.model, e.trie, samples, e.source(), e.options.ranking, count);
  const EvaluationReport report = e.run();
  EXPECT_EQ(report.users, 70);
  EXPECT_GT(recall[10], 0);
  EXPECT_GT(identifier_recall[10], recall[10] - 1e-9);
  for (int k : {5, 10}) {
    const std::string at_k = "@" + std::to_string(k);
    EXPECT_NEAR(report.by_item.at("recall" + at_k), recall[k], 1e-12);
    EXPECT_NEAR(report.by_item.at("ndcg" + at_k), ndcg[k], 1e-12);
    EXPECT_NEAR(report.by_identifier.at("recall" + at_k), identifier_recall[k], 1e-12);
    EXPECT_NEAR(report.by_item.at("coverage" + at_k), static_cast<double>(seen[k].size()) / 60, 1e-12);
  }
}

TEST(Evaluator, DoesNotDependOnThreads) {
  Evaluated e;
  const EvaluationReport one = e.run(Split::kValid);
  e.options.ranking.threads = 3;
  const EvaluationReport three = e.run(Split::kValid);
  EXPECT_EQ(one.by_item, three.by_item);
  EXPECT_EQ(one.by_identifier, three.by_identifier);
}

TEST(Evaluator, NobodyToEvaluate) {
  Evaluated e;
  e.dataset = dataset_of({{1, 2}}, 60);
  const EvaluationReport report = e.run();
  EXPECT_EQ(report.users, 0);
  EXPECT_EQ(report.by_item.at("recall@10"), 0);
  EXPECT_EQ(report.by_item.at("coverage@10"), 0);
}

TEST(Evaluator, RefusesCutoffsAboveTheBeams) {
  Evaluated e;
  e.options.ks = {5, 21};
  EXPECT_THROW((void)e.run(), UsageError);
  e.options.ks = {};
  EXPECT_THROW((void)e.run(), UsageError);
}

TEST(Recommend, GivesTheFirstItemsInRowOrder) {
  Evaluated e;
  std::vector<UserId> users;
  const std::vector<std::int32_t> rows{4, 9, 60};
  e.options.ranking.block = 2;
  recommend(e.model, e.trie, e.dataset.interactions, rows, 4, e.source(), e.options.ranking,
            [&](UserId user, std::span<const ScoredItem> items) {
              users.push_back(user);
              ASSERT_EQ(items.size(), 4U);
              for (std::size_t i = 1; i < items.size(); ++i) EXPECT_GE(items[i - 1].score, items[i].score);
            });
  EXPECT_THAT(users, ElementsAre(4, 9, 60));
}

/// Drawn users are the same however they are spread over ranks, and for both splits.
TEST(SampledUsers, AreAFunctionOfTheWholeDataset) {
  Dataset whole = random_dataset(300, 60);
  whole.lengths.resize(500, 2);  // users of another rank with too short histories are not drawn
  const auto drawn = sampled_users(whole, Split::kTest, 50, 9);
  ASSERT_EQ(drawn.size(), 50U);
  std::set<UserId> users;
  for (Sample sample : drawn) users.insert(whole.interactions.users[static_cast<std::size_t>(sample.row)]);
  std::set<UserId> joined;
  for (int rank = 0; rank < 3; ++rank) {
    Dataset part = whole;
    part.interactions = {{}, {0}, {}};
    for (std::int64_t row = rank; row < whole.interactions.rows(); row += 3) {
      const auto history = whole.interactions.row(row);
      part.interactions.users.push_back(whole.interactions.users[static_cast<std::size_t>(row)]);
      part.interactions.items.insert(part.interactions.items.end(), history.begin(), history.end());
      part.interactions.offsets.push_back(static_cast<std::int64_t>(part.interactions.items.size()));
    }
    for (Sample sample : sampled_users(part, Split::kValid, 50, 9)) {
      EXPECT_TRUE(joined.insert(part.interactions.users[static_cast<std::size_t>(sample.row)]).second);
    }
  }
  EXPECT_EQ(joined, users);
  EXPECT_EQ(sampled_users(whole, Split::kTest, 0, 9).size(), 300U);
  EXPECT_EQ(sampled_users(whole, Split::kTest, 1000, 9).size(), 300U);
  std::set<UserId> others;
  for (Sample sample : sampled_users(whole, Split::kTest, 50, 10)) others.insert(sample.row);
  EXPECT_NE(others, users);
}

TEST(Popularity, CountsTheTrainingPartAlone) {
  // Training parts: {2, 1}, {2}, {1, 2, 0}; targets of test: 4, 2, 0; of validation: 3, 4, 4.
  const Dataset dataset = dataset_of({{2, 1, 3, 4}, {2, 4, 2}, {1, 2, 0, 4, 0}}, 6);
  const auto world = make_single_communicator();
  EXPECT_THAT(popularity_ranking(dataset, *world), ElementsAre(2, 1, 0, 3, 4, 5));
  const std::vector<std::int32_t> ks{1, 3};
  const Metrics test = popularity_baseline(dataset, Split::kTest, ks, 0, 1, *world);
  EXPECT_DOUBLE_EQ(test.at("recall@1"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(test.at("recall@3"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(test.at("ndcg@3"), (1 + 0.5) / 3);
  EXPECT_DOUBLE_EQ(test.at("coverage@3"), 0.5);
  EXPECT_DOUBLE_EQ(popularity_baseline(dataset, Split::kValid, ks, 0, 1, *world).at("recall@3"), 0);
}

}  // namespace
}  // namespace genrec
