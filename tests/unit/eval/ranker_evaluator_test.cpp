#include "eval/ranker_evaluator.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "unit/cf/small_dataset.h"

namespace genrec {
namespace {

/// Likes items in the order of `favourites`, whoever asks; items that are not named follow.
class FixedRanker : public ItemRanker {
 public:
  FixedRanker(std::int64_t items, std::vector<ItemId> favourites) : scores_(at::zeros({items})) {
    float score = 100;
    for (const ItemId item : favourites) scores_.data_ptr<float>()[item] = score--;
  }
  [[nodiscard]] std::int64_t items() const override { return scores_.size(0); }
  [[nodiscard]] at::Tensor scores(std::span<const RankerQuery> queries) const override {
    for (const RankerQuery& query : queries)
      histories_.emplace_back(query.history.begin(), query.history.end());
    return scores_.expand({static_cast<std::int64_t>(queries.size()), items()}).clone();
  }
  [[nodiscard]] const std::vector<std::vector<ItemId>>& histories() const { return histories_; }

 private:
  at::Tensor scores_;
  mutable std::vector<std::vector<ItemId>> histories_;
};

const std::vector<std::vector<ItemId>> kHistories = {{0, 1, 2, 3}, {4, 0, 1}, {2, 5, 6, 7}, {1, 2}};

RankerEvaluatorOptions at_one_and_three() {
  RankerEvaluatorOptions options;
  options.ks = {1, 3};
  options.batch = 2;
  return options;
}

TEST(EvaluateRanker, EqualsTheFiguresByHand) {
  const Dataset dataset = test::dataset_of(kHistories, 10);
  const FixedRanker ranker(10, {1, 3, 2});
  const auto world = make_single_communicator();
  // Test targets 3, 1 and 7 (user 3 is too short): at ranks 2, 1, and none.
  const Metrics metrics = evaluate_ranker(ranker, dataset, Split::kTest, at_one_and_three(), *world);
  EXPECT_DOUBLE_EQ(metrics.at("recall@1"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.at("recall@3"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.at("ndcg@1"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.at("ndcg@3"), (1 + 1 / std::log2(3.0)) / 3);
  EXPECT_DOUBLE_EQ(metrics.at("coverage@1"), 0.1);
  EXPECT_DOUBLE_EQ(metrics.at("coverage@3"), 0.3);
  EXPECT_THAT(ranker.histories()[0], ::testing::ElementsAre(0, 1, 2));
  // Validation targets 2, 0 and 6: at rank 3, then in the order of the items (item 0 is fourth).
  const Metrics valid = evaluate_ranker(ranker, dataset, Split::kValid, at_one_and_three(), *world);
  EXPECT_DOUBLE_EQ(valid.at("recall@3"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(valid.at("ndcg@3"), 0.5 / 3);
}

TEST(EvaluateRanker, MayLeaveOutTheHistory) {
  const Dataset dataset = test::dataset_of(kHistories, 10);
  const FixedRanker ranker(10, {1, 3, 2});
  const auto world = make_single_communicator();
  RankerEvaluatorOptions options = at_one_and_three();
  options.exclude_history = true;
  // User 0 has 0, 1, 2: item 3 comes first. User 1 has 4 and 0: item 1. User 2 never sees 7.
  const Metrics metrics = evaluate_ranker(ranker, dataset, Split::kTest, options, *world);
  EXPECT_DOUBLE_EQ(metrics.at("recall@1"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.at("ndcg@3"), 2.0 / 3);
}

TEST(EvaluateRanker, CutOffsBelowOneAreUsageErrors) {
  const Dataset dataset = test::dataset_of(kHistories, 10);
  const FixedRanker ranker(10, {1});
  const auto world = make_single_communicator();
  for (const std::vector<std::int32_t>& ks : {std::vector<std::int32_t>{}, std::vector<std::int32_t>{0, 5}}) {
    RankerEvaluatorOptions options;
    options.ks = ks;
    EXPECT_THROW(static_cast<void>(evaluate_ranker(ranker, dataset, Split::kTest, options, *world)),
                 UsageError);
  }
}

}  // namespace
}  // namespace genrec
