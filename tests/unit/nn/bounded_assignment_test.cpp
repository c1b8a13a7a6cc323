#include "nn/bounded_assignment.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace genrec {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <typename T>
double cost_of(const std::vector<T>& costs, std::int64_t columns, const std::vector<std::int64_t>& assigned) {
  double cost = 0;
  for (std::size_t i = 0; i < assigned.size(); ++i)
    cost += static_cast<double>(
        costs[i * static_cast<std::size_t>(columns) + static_cast<std::size_t>(assigned[i])]);
  return cost;
}

bool keeps_bounds(const std::vector<std::int64_t>& assigned, std::int64_t columns, const SizeBounds& bounds) {
  for (std::int64_t column = 0; column < columns; ++column) {
    const auto size = std::count(assigned.begin(), assigned.end(), column);
    if (size < bounds.min || size > bounds.max) return false;
  }
  return true;
}

/// The least cost over all columns^rows assignments that keep the bounds.
double least_cost(const std::vector<double>& costs, std::int64_t rows, std::int64_t columns,
                  const SizeBounds& bounds) {
  double least = std::numeric_limits<double>::infinity();
  std::vector<std::int64_t> assigned(static_cast<std::size_t>(rows), 0);
  for (;;) {
    if (keeps_bounds(assigned, columns, bounds)) least = std::min(least, cost_of(costs, columns, assigned));
    std::size_t digit = 0;
    while (digit < assigned.size() && ++assigned[digit] == columns) assigned[digit++] = 0;
    if (digit == assigned.size()) return least;
  }
}

/// No assignment within the bounds is cheaper than this, whatever the prices are (weak duality).
template <typename T>
double lower_bound(const std::vector<T>& costs, std::int64_t rows, std::int64_t columns,
                   const SizeBounds& bounds, const std::vector<double>& prices) {
  double bound = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (std::int64_t j = 0; j < columns; ++j)
      least = std::min(least, static_cast<double>(costs[static_cast<std::size_t>(i * columns + j)]) +
                                  prices[static_cast<std::size_t>(j)]);
    bound += least;
  }
  for (const double price : prices) bound -= price * static_cast<double>(price > 0 ? bounds.max : bounds.min);
  return bound;
}

TEST(BoundedAssignment, IsTheCheapestOfAllAssignments) {
  RandomStream random(1, Purpose::kTest);
  const std::vector<std::pair<std::int64_t, std::int64_t>> shapes{{6, 3}, {5, 4}, {7, 2},
                                                                  {3, 3}, {2, 4}, {4, 1}};
  int cases = 0;
  for (int round = 0; round < 12; ++round) {
    for (const auto& [rows, columns] : shapes) {
      for (std::int64_t min = 0; min * columns <= rows; ++min) {
        for (std::int64_t max = (rows + columns - 1) / columns; max <= rows; ++max) {
          const bool has_ties = round % 2 == 0;
          std::vector<double> costs(static_cast<std::size_t>(rows * columns));
          for (double& cost : costs) {
            cost = has_ties ? static_cast<double>(random.below(4)) : random.normal();
          }
          std::vector<double> prices(round % 3 == 0 ? 0 : static_cast<std::size_t>(columns));
          for (double& price : prices) price = static_cast<double>(random.below(7)) - 3;
          const SizeBounds bounds{.min = min, .max = max};
          const BoundedAssignment result = bounded_assignment(costs, rows, columns, bounds, prices);
          const double least = least_cost(costs, rows, columns, bounds);
          ASSERT_EQ(result.columns.size(), static_cast<std::size_t>(rows));
          ASSERT_TRUE(keeps_bounds(result.columns, columns, bounds));
          ASSERT_NEAR(cost_of(costs, columns, result.columns), least, has_ties ? 0 : 1e-12)
              << rows << " rows, " << columns << " columns, " << min << " to " << max << ", round " << round;
          ASSERT_NEAR(result.cost, least, 1e-12);
          ++cases;
        }
      }
    }
  }
  EXPECT_GT(cases, 300);
}

TEST(BoundedAssignment, WorkedByHand) {
  // Both rows are better off at column 0; row 1 loses least when it goes.
  const std::vector<float> costs{0, 10, 1, 3};
  EXPECT_THAT(bounded_assignment(std::span(costs), 2, 2, {.min = 0, .max = 2}).columns, ElementsAre(0, 0));
  EXPECT_THAT(bounded_assignment(std::span(costs), 2, 2, {.min = 0, .max = 1}).columns, ElementsAre(0, 1));
  EXPECT_THAT(bounded_assignment(std::span(costs), 2, 2, {.min = 1, .max = 2}).columns, ElementsAre(0, 1));
  EXPECT_DOUBLE_EQ(bounded_assignment(std::span(costs), 2, 2, {.min = 1, .max = 1}).cost, 3);
}

TEST(BoundedAssignment, ARowMayGoWhenAnotherComes) {
  // Column 2 lacks a row. It is cheapest to send row 2 there, and row 0 or 1 to column 1 in its place.
  const std::vector<double> costs{0, 1, 9, 0, 2, 9, 5, 0, 1};
  const auto result = bounded_assignment(std::span(costs), 3, 3, {.min = 1, .max = 1});
  EXPECT_THAT(result.columns, ElementsAre(1, 0, 2));
  EXPECT_DOUBLE_EQ(result.cost, 2);
}

/// Points in a few clumps of unequal weight, so that most sizes are wrong at first.
template <typename T>
std::vector<T> clumped_costs(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  RandomStream random(seed, Purpose::kTest);
  std::vector<double> places(static_cast<std::size_t>(2 * columns));
  for (double& place : places) place = random.normal();
  std::vector<T> costs;
  for (std::int64_t i = 0; i < rows; ++i) {
    const double clump = random.below(3) == 0 ? 1 : -0.5;
    const double x = clump + 0.3 * random.normal(), y = clump + 0.3 * random.normal();
    for (std::size_t j = 0; j < places.size(); j += 2) {
      const double cost = (x - places[j]) * (x - places[j]) + (y - places[j + 1]) * (y - places[j + 1]);
      costs.push_back(static_cast<T>(cost));
    }
  }
  return costs;
}

template <typename T>
void expect_certified(std::int64_t rows, std::int64_t columns, const SizeBounds& bounds) {
  const std::vector<T> costs = clumped_costs<T>(rows, columns, static_cast<std::uint64_t>(rows));
  const auto result = bounded_assignment(std::span<const T>(costs), rows, columns, bounds);
  ASSERT_TRUE(keeps_bounds(result.columns, columns, bounds));
  const double cost = cost_of(costs, columns, result.columns);
  EXPECT_NEAR(cost, lower_bound(costs, rows, columns, bounds, result.prices), 1e-9 * cost);
  // The prices of the solution leave nothing to do: no cheaper, no dearer.
  const auto again = bounded_assignment(std::span<const T>(costs), rows, columns, bounds, result.prices);
  EXPECT_TRUE(keeps_bounds(again.columns, columns, bounds));
  EXPECT_NEAR(again.cost, cost, 1e-9 * cost);
}

TEST(BoundedAssignment, PricesProveTheOptimumOfLargerOnes) {
  expect_certified<float>(256, 10, {.min = 10, .max = 60});
  expect_certified<float>(2000, 40, {.min = 25, .max = 100});
  expect_certified<double>(2000, 40, {.min = 50, .max = 50});
  expect_certified<double>(1500, 30, {.min = 40, .max = 1400});
  expect_certified<double>(1500, 30, {.min = 0, .max = 60});
}

TEST(BoundedAssignment, EqualRowsFillAllColumns) {
  const std::vector<float> costs(300 * 7, 1.5F);
  const auto result = bounded_assignment(std::span(costs), 300, 7, {.min = 40, .max = 45});
  EXPECT_TRUE(keeps_bounds(result.columns, 7, {.min = 40, .max = 45}));
  EXPECT_DOUBLE_EQ(result.cost, 450);
}

TEST(BoundedAssignment, ManyEqualCostsAreNoLessCheap) {
  // Rows that leave a column nearly always have a twin there.
  constexpr std::int64_t kRows = 4000, kColumns = 30;
  RandomStream random(2, Purpose::kTest);
  std::vector<double> costs(static_cast<std::size_t>(kRows * kColumns));
  for (double& cost : costs) cost = static_cast<double>(random.below(3));
  for (std::int64_t i = 0; i < kRows; i += 2) costs[static_cast<std::size_t>(i * kColumns)] = -1;
  const SizeBounds bounds{.min = 100, .max = 150};
  const auto result = bounded_assignment(std::span(std::as_const(costs)), kRows, kColumns, bounds);
  EXPECT_TRUE(keeps_bounds(result.columns, kColumns, bounds));
  EXPECT_DOUBLE_EQ(cost_of(costs, kColumns, result.columns), result.cost);
  EXPECT_NEAR(result.cost, lower_bound(costs, kRows, kColumns, bounds, result.prices), 1e-9);
}

TEST(BoundedAssignment, SameCostsGiveTheSameAssignment) {
  const auto costs = clumped_costs<float>(500, 12, 3);
  const SizeBounds bounds{.min = 30, .max = 50};
  const auto first = bounded_assignment(std::span(costs), 500, 12, bounds);
  const auto second = bounded_assignment(std::span(costs), 500, 12, bounds);
  EXPECT_EQ(first.columns, second.columns);
  EXPECT_EQ(first.prices, second.prices);
}

TEST(BoundedAssignment, BoundsThatCannotHoldAreRefused) {
  const std::vector<double> costs(12, 1);
  const auto attempt = [&](std::int64_t min, std::int64_t max) {
    (void)bounded_assignment(std::span(costs), 4, 3, {.min = min, .max = max});
  };
  EXPECT_THROW(attempt(2, 4), UsageError);
  EXPECT_THROW(attempt(0, 1), UsageError);
  EXPECT_THROW(attempt(2, 1), UsageError);
  EXPECT_THROW(attempt(-1, 4), UsageError);
  EXPECT_THROW(attempt(std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max()),
               UsageError);
  EXPECT_NO_THROW(attempt(1, 2));
  EXPECT_NO_THROW(attempt(0, std::numeric_limits<std::int64_t>::max()));
}

TEST(BoundedAssignment, NothingToAssign) {
  const std::vector<double> none;
  EXPECT_THAT(bounded_assignment(std::span(none), 0, 3, {}).columns, IsEmpty());
  EXPECT_THROW((void)bounded_assignment(std::span(none), 0, 3, {.min = 1}), UsageError);
}

TEST(BoundedAssignment, CostsMustBeFinite) {
  std::vector<float> costs(6, 1);
  costs[3] = std::nanf("");
  try {
    (void)bounded_assignment(std::span(costs), 3, 2, {});
    FAIL() << "NaN was taken";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("row 1 "));
  }
  costs[3] = std::numeric_limits<float>::infinity();
  EXPECT_THROW((void)bounded_assignment(std::span(costs), 3, 2, {}), DataError);
}

}  // namespace
}  // namespace genrec
