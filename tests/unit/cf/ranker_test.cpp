#include "cf/ranker.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace genrec {
namespace {

using ::testing::ElementsAre;

TEST(RankTopK, BestFirstAndTheLowerItemOfEquals) {
  const at::Tensor scores =
      at::tensor({1.0F, 3.0F, 2.0F, 3.0F, -1.0F, 5.0F, 5.0F, 5.0F, 5.0F, 5.0F}).view({2, 5});
  EXPECT_THAT(rank_top_k(scores, 3), ElementsAre(1, 3, 2, 0, 1, 2));
  EXPECT_THAT(rank_top_k(scores.narrow(0, 0, 1), 9), ElementsAre(1, 3, 2, 0, 4));
}

TEST(RankTopK, ItemsOfScoreMinusInfinityComeLast) {
  const float lowest = -std::numeric_limits<float>::infinity();
  EXPECT_THAT(rank_top_k(at::tensor({lowest, -7.0F, lowest}).view({1, 3}), 2), ElementsAre(1, 0));
}

TEST(RankTopK, ScoresThatAreNotNumbersAreAnError) {
  const at::Tensor scores = at::tensor({1.0F, std::numeric_limits<float>::quiet_NaN()}).view({1, 2});
  EXPECT_THROW(static_cast<void>(rank_top_k(scores, 1)), DataError);
}

TEST(RankTopK, EqualsAStableSort) {
  const std::int64_t rows = 30, items = 200;
  RandomStream random(3, Purpose::kTest);
  at::Tensor scores = at::empty({rows, items}, at::kFloat);
  auto* values = scores.data_ptr<float>();
  for (std::int64_t i = 0; i < scores.numel(); ++i) values[i] = static_cast<float>(random.below(40));
  const std::vector<ItemId> ranking = rank_top_k(scores, 25);
  for (std::int64_t row = 0; row < rows; ++row) {
    std::vector<ItemId> sorted(static_cast<std::size_t>(items));
    std::iota(sorted.begin(), sorted.end(), 0);
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](ItemId a, ItemId b) { return values[row * items + a] > values[row * items + b]; });
    for (std::int64_t i = 0; i < 25; ++i) {
      ASSERT_EQ(ranking[static_cast<std::size_t>(row * 25 + i)], sorted[static_cast<std::size_t>(i)]);
    }
  }
}

}  // namespace
}  // namespace genrec
