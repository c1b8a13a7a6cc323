#include "app/cost_model.h"

#include <gtest/gtest.h>

namespace genrec {
namespace {

MachineRates rates() {
  return {.train_flop_per_s = 1e9,
          .search_flop_per_s = 2e9,
          .optimizer_s = 0.25,
          .latency_s = 1e-3,
          .bytes_per_s = 1e6};
}

StageWork training() {
  return {.name = "training", .kind = StageKind::kTraining, .units = 100, .flop_per_unit = 1e8, .batch = 10};
}

TEST(AllReduceSeconds, AreThoseOfHalvingAndDoubling) {
  EXPECT_EQ(all_reduce_seconds(1e6, 4, rates(), 1), 0);
  // Every rank sends 2 (N - 1) / N of the bytes; a message takes 2 log2 N rounds.
  EXPECT_DOUBLE_EQ(all_reduce_seconds(1e6, 1, rates(), 2), 1 + 2e-3);
  EXPECT_DOUBLE_EQ(all_reduce_seconds(1e6, 3, rates(), 4), 1.5 + 3 * 4e-3);
  EXPECT_DOUBLE_EQ(all_reduce_rounds(5), 6);
}

TEST(CostOfTraining, CountsStepsAndTheUpdateOnEveryRank) {
  const StageCost one = cost_of(training(), {}, rates(), 1);
  EXPECT_DOUBLE_EQ(one.compute_s, 10 * (1 + 0.25));
  EXPECT_DOUBLE_EQ(one.communication_s, 0);
  // A rank with most samples: 10 over 4 ranks are 3.
  EXPECT_DOUBLE_EQ(cost_of(training(), {}, rates(), 4).compute_s, 10 * (0.3 + 0.25));
}

TEST(CostOfTraining, HidesSumsBehindTheBackwardPassButForTheLast) {
  GradientSize gradients{.bytes = 3e5, .last_bytes = 1e5, .messages = 1};
  // Two ranks: passes of 0.5 s, a third of a second to hide in; the sum takes 0.302 s, its last part 0.102 s.
  EXPECT_NEAR(cost_of(training(), gradients, rates(), 2).communication_s, 10 * 0.102, 1e-9);
  gradients.bytes = 1e6;
  EXPECT_NEAR(cost_of(training(), gradients, rates(), 2).communication_s, 10 * (1.002 - 0.5 * 2 / 3), 1e-9);
}

TEST(CostOfSearch, DealsWholeBlocks) {
  const StageWork work{.name = "regeneration",
                       .kind = StageKind::kSearch,
                       .units = 100,
                       .flop_per_unit = 1e9,
                       .bytes_per_unit = 1e4,
                       .block = 32};
  EXPECT_DOUBLE_EQ(cost_of(work, {}, rates(), 1).compute_s, 50);
  const StageCost three = cost_of(work, {}, rates(), 3);  // 4 blocks: one rank has 2
  EXPECT_DOUBLE_EQ(three.compute_s, 32);
  EXPECT_DOUBLE_EQ(three.communication_s, 1e6 * 2 / 3 / 1e6);
}

TEST(CostOfAssignment, IsRankZeros) {
  const StageWork work{.name = "assignment", .kind = StageKind::kAssignment, .units = 1e7};
  const StageCost cost = cost_of(work, {}, rates(), 64);
  EXPECT_EQ(cost.compute_s, 0);
  EXPECT_NEAR(cost.alone_s, 3.3, 0.01);
  EXPECT_EQ(cost.total(), cost.alone_s);
}

}  // namespace
}  // namespace genrec
