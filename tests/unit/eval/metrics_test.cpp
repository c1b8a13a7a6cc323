#include "eval/metrics.h"

#include <gmock/gmock.h>

#include <cmath>

namespace genrec {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(RankCounts, HandComputed) {
  RankCounts counts(10);
  for (std::int64_t rank : {1, 3, 7, 0, 11}) counts.add(rank);
  EXPECT_EQ(counts.users(), 5);
  EXPECT_DOUBLE_EQ(counts.recall(1), 0.2);
  EXPECT_DOUBLE_EQ(counts.recall(5), 0.4);
  EXPECT_DOUBLE_EQ(counts.recall(10), 0.6);
  EXPECT_DOUBLE_EQ(counts.ndcg(1), 0.2);
  EXPECT_DOUBLE_EQ(counts.ndcg(5), (1 + 0.5) / 5);
  EXPECT_DOUBLE_EQ(counts.ndcg(10), (1 + 0.5 + 1.0 / 3) / 5);
  const std::vector<std::int32_t> ks{5, 10};
  const Metrics metrics = counts.metrics(ks);
  EXPECT_EQ(metrics.size(), 4U);
  EXPECT_DOUBLE_EQ(metrics.at("recall@10"), 0.6);
  EXPECT_DOUBLE_EQ(metrics.at("ndcg@5"), 0.3);
  EXPECT_THAT(inconsistencies(metrics), IsEmpty());
}

TEST(RankCounts, NobodyIsZero) {
  const RankCounts counts(5);
  EXPECT_EQ(counts.recall(5), 0);
  EXPECT_EQ(counts.ndcg(5), 0);
}

TEST(Coverage, IsTheShareOfItemsInAnyList) {
  Coverage coverage(8, 10);
  coverage.add(0, 1);
  coverage.add(3, 6);
  coverage.add(3, 5);
  coverage.add(3, 9);
  coverage.add(7, 6);
  EXPECT_DOUBLE_EQ(coverage.at(4), 1.0 / 8);
  EXPECT_DOUBLE_EQ(coverage.at(5), 2.0 / 8);
  EXPECT_DOUBLE_EQ(coverage.at(10), 3.0 / 8);
  const auto world = make_single_communicator();
  coverage.reduce(*world);
  EXPECT_DOUBLE_EQ(coverage.at(5), 2.0 / 8);
  EXPECT_DOUBLE_EQ(coverage.at(10), 3.0 / 8);
}

/// Rows of published tables (method 7.3): SIIT's CID on Beauty breaks the rule, TIGER keeps it.
TEST(Inconsistencies, FindThoseOfPublishedTables) {
  const double rounding = 1e-4;
  const Metrics tiger{{"recall@5", 0.0426}, {"recall@10", 0.0647}, {"ndcg@5", 0.0287}, {"ndcg@10", 0.0358}};
  EXPECT_THAT(inconsistencies(tiger, rounding), IsEmpty());
  const Metrics cid{{"recall@5", 0.0389}, {"recall@10", 0.0573}, {"ndcg@5", 0.0147}, {"ndcg@10", 0.0294}};
  EXPECT_THAT(inconsistencies(cid, rounding), SizeIs(2));  // ndcg@5 too low, its gain to @10 too large
  const Metrics tid{{"recall@5", 0.0168}, {"recall@10", 0.0334}, {"ndcg@5", 0.0660}, {"ndcg@10", 0.0834}};
  const auto faults = inconsistencies(tid, rounding);
  ASSERT_FALSE(faults.empty());
  EXPECT_THAT(faults.front(), HasSubstr("ndcg@5 = 0.066000 exceeds recall@5"));
}

TEST(Inconsistencies, EachBound) {
  const Metrics good{{"recall@5", 0.4}, {"recall@10", 0.6}, {"ndcg@5", 0.25}, {"ndcg@10", 0.31}};
  EXPECT_THAT(inconsistencies(good), IsEmpty());
  const auto with = [&](const std::string& name, double value) {
    Metrics changed = good;
    changed[name] = value;
    return inconsistencies(changed);
  };
  EXPECT_FALSE(with("recall@10", 0.39).empty());
  EXPECT_FALSE(with("ndcg@5", 0.15).empty());
  EXPECT_FALSE(with("ndcg@5", 0.41).empty());
  EXPECT_FALSE(with("ndcg@10", 0.25 + 0.2 / std::log2(11) - 1e-6).empty());
  EXPECT_FALSE(with("ndcg@10", 0.25 + 0.2 / std::log2(7) + 1e-6).empty());
  EXPECT_TRUE(with("ndcg@10", 0.25 + 0.2 / std::log2(7)).empty());
}

}  // namespace
}  // namespace genrec
