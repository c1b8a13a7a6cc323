#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

namespace genrec {
namespace {

TEST(Random, MixIsSplitMix64) {
  // First two outputs of SplitMix64 (Steele et al. 2014) from state 0.
  EXPECT_EQ(mix64(0), 0xe220a8397b1dcdafULL);
  EXPECT_EQ(mix64(0x9e3779b97f4a7c15ULL), 0x6e789e6aa1b965f4ULL);
}

TEST(Random, KeysDifferByEveryPart) {
  const std::set<std::uint64_t> keys = {
      stream_key(1, Purpose::kDropout),         stream_key(2, Purpose::kDropout),
      stream_key(1, Purpose::kTemplate),        stream_key(1, Purpose::kDropout, {0}),
      stream_key(1, Purpose::kDropout, {1}),    stream_key(1, Purpose::kDropout, {0, 1}),
      stream_key(1, Purpose::kDropout, {1, 0}),
  };
  EXPECT_EQ(keys.size(), 7U);
}

TEST(Random, StreamsRepeat) {
  RandomStream a(5, Purpose::kTest, {3}), b(5, Purpose::kTest, {3}), c(5, Purpose::kTest, {4});
  const auto first = a();
  EXPECT_EQ(first, b());
  EXPECT_NE(first, c());
  EXPECT_NE(first, a());
}

TEST(Random, BelowIsInRangeAndEven) {
  RandomStream random(7, Purpose::kTest);
  std::vector<int> counts(6);
  for (int i = 0; i < 60000; ++i) {
    const auto value = random.below(6);
    ASSERT_LT(value, 6U);
    ++counts[value];
  }
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);  // 5.5 standard deviations
  EXPECT_EQ(random.below(1), 0U);
}

TEST(Random, UniformAndNormalHaveTheirMoments) {
  RandomStream random(8, Purpose::kTest);
  constexpr int kDraws = 100000;
  double sum = 0, normal_sum = 0, normal_squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    const double x = random.normal();
    ASSERT_TRUE(std::isfinite(x));
    normal_sum += x;
    normal_squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.005);
  EXPECT_NEAR(normal_sum / kDraws, 0.0, 0.02);
  EXPECT_NEAR(normal_squares / kDraws, 1.0, 0.03);
}

TEST(Random, ShuffleIsAPermutationAndMoves) {
  std::vector<int> values(100);
  std::iota(values.begin(), values.end(), 0);
  const std::vector<int> before = values;
  RandomStream random(9, Purpose::kTest);
  random.shuffle(std::span(values));
  EXPECT_NE(values, before);
  std::ranges::sort(values);
  EXPECT_EQ(values, before);
}

}  // namespace
}  // namespace genrec
