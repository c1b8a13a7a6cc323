#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace genrec {

/// How many rows each column gets: at least `min`, at most `max`.
struct SizeBounds {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};

struct BoundedAssignment {
  std::vector<std::int64_t> columns;  ///< of each row
  /// Of each column, and a proof that nothing is cheaper (linear programming duality): every row's column is
  /// cheapest by cost + price, a price above 0 is paid only at a full column, one below 0 only at a column
  /// that has `min` rows.
  std::vector<double> prices;
  double cost = 0;  ///< sum over rows
};

/// The cheapest way to give every row a column such that all columns keep their bounds, exactly (up to the
/// rounding of float64 sums). `costs` is [rows, columns], row-major. Among equals the result is always the
/// same one.
///
/// A minimum-cost flow (successive shortest paths; Ahuja, Magnanti & Orlin 1993, section 9.7) on a graph of
/// columns alone: the edge from one to another stands for the row that is cheapest to move. All rows start at
/// their cheapest column, O(rows columns). Then each row by which a column's size is wrong, at most all rows,
/// costs a path: one search (Dijkstra, ended at the nearest column with room), O(columns^2) at most, and for
/// every move on the path the renewal of two columns' edges, O(columns (32 + size / 32)) at most, O(columns)
/// when the row was the cheapest one for few edges.
///
/// `start_prices`: of a similar problem solved before, so that few sizes are wrong at the start; empty: none.
/// Any finite prices lead to the same cost. Throws UsageError when no assignment keeps the bounds, DataError
/// for a cost that is not finite.
[[nodiscard]] BoundedAssignment bounded_assignment(std::span<const float> costs, std::int64_t rows,
                                                   std::int64_t columns, const SizeBounds& bounds,
                                                   std::span<const double> start_prices = {});
[[nodiscard]] BoundedAssignment bounded_assignment(std::span<const double> costs, std::int64_t rows,
                                                   std::int64_t columns, const SizeBounds& bounds,
                                                   std::span<const double> start_prices = {});

}  // namespace genrec
