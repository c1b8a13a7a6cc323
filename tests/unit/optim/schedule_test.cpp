#include "optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace genrec {
namespace {

TEST(Schedule, WarmUpGrowsLinearlyToThePeak) {
  for (const char* name : {"constant", "linear", "cosine", "inverse-sqrt"}) {
    EXPECT_DOUBLE_EQ(learning_rate(name, 2.0, 4, 0, 100), 0.5) << name;
    EXPECT_DOUBLE_EQ(learning_rate(name, 2.0, 0.04, 3, 100), 2.0) << name;
  }
}

TEST(Schedule, FollowsItsFormula) {
  EXPECT_DOUBLE_EQ(learning_rate("constant", 3.0, 0, 99, 100), 3.0);
  EXPECT_DOUBLE_EQ(learning_rate("linear", 1.0, 0, 25, 100), 0.75);
  EXPECT_DOUBLE_EQ(learning_rate("linear", 1.0, 20, 60, 100), 0.5);
  EXPECT_NEAR(learning_rate("cosine", 1.0, 0, 50, 100), 0.5, 1e-12);
  EXPECT_NEAR(learning_rate("cosine", 1.0, 10, 99, 100), 0.5 * (1 + std::cos(3.14159265358979 * 89 / 90)),
              1e-9);
  EXPECT_DOUBLE_EQ(learning_rate("inverse-sqrt", 1.0, 4, 15, 100), 0.5);
}

TEST(Schedule, UnknownNamesAreRefused) {
  EXPECT_THROW((void)learning_rate("cosin", 1.0, 0, 0, 10), UsageError);
}

}  // namespace
TEST(Schedule, KnowsWhichRatesFollowTheLength) {
  for (const char* name : {"constant", "linear", "cosine", "inverse-sqrt"}) {
    for (const double warmup : {0.0, 0.1, 4.0}) {
      bool differs = false;
      for (int step = 0; step < 50; ++step)
        differs |= learning_rate(name, 1.0, warmup, step, 100) != learning_rate(name, 1.0, warmup, step, 200);
      EXPECT_EQ(rate_depends_on_length(name, warmup), differs) << name << ", warm-up " << warmup;
    }
  }
}

}  // namespace genrec
