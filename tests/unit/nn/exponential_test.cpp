#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "nn/kernels/kernels.h"

namespace genrec {
namespace {

/// exp of every number, by the kernel of softmax.
std::vector<float> exponentials(std::vector<float> x) {
  kernels<float>().scaled_exponentials(x.data(), static_cast<std::int64_t>(x.size()), 1, 0, 1);
  return x;
}

TEST(Exponential, IsRightToAUnitInTheLastPlace) {
  std::vector<float> x;
  for (double at = -87.2; at < 88.2; at += 0.00137) x.push_back(static_cast<float>(at));
  const std::vector<float> e = exponentials(x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = std::exp(static_cast<double>(x[i]));
    worst = std::max(worst, std::abs(e[i] - expected) / expected);
  }
  EXPECT_LT(worst, std::numeric_limits<float>::epsilon());
}

TEST(Exponential, FarBeyondItsRangeIsWhatItIsAtTheBound) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float low : {-88.0f, -1e5f, -1e15f, -3e38f, -kInfinity}) {
    const float e = exponentials({low}).front();
    EXPECT_TRUE(e >= 0 && e < 1.3e-38f) << low << ": " << e;
  }
  for (const float high : {89.0f, 1e15f, 3e38f, kInfinity}) {
    const float e = exponentials({high}).front();
    EXPECT_TRUE(e > 2e38f && e < kInfinity) << high << ": " << e;
  }
}

TEST(Exponential, LetsNaNThrough) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(exponentials({nan}).front()));
  float maximum = 0, sum = 0;
  const std::vector<float> row = {1, 2, nan, 3};
  kernels<float>().sum_exponentials(row.data(), 4, 1, &maximum, &sum);
  EXPECT_TRUE(std::isnan(sum)) << "a diverged row is to be seen in its loss";
}

}  // namespace
}  // namespace genrec
