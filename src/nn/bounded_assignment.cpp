#include "nn/bounded_assignment.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "base/error.h"

namespace genrec {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
/// Rows whose minima are kept together: as few as make one quick to renew, as many as keep the minima few.
constexpr std::size_t kRowsOfBlock = 32;

template <typename T>
struct CostMatrix {
  const T* data;
  std::size_t rows, columns;
  [[nodiscard]] const T* row(std::size_t i) const { return data + i * columns; }
  /// What moving a row from its column to another one adds.
  [[nodiscard]] double move(std::size_t i, std::size_t from, std::size_t to) const {
    return static_cast<double>(row(i)[to]) - static_cast<double>(row(i)[from]);
  }
};

/// Who is in which column, and for each pair of columns the cheapest move of a row from one to the other. A
/// column's rows are cut into blocks with minima of their own, so that a row that leaves sets off a short
/// search only, and only for the columns to which it was the cheapest.
template <typename T>
class CheapestMoves {
 public:
  explicit CheapestMoves(const CostMatrix<T>& costs)
      : costs_(costs),
        cheapest_(costs.columns * costs.columns, kNever),
        members_(costs.columns),
        minima_(costs.columns),
        place_(costs.rows) {}

  [[nodiscard]] std::size_t size(std::size_t column) const { return members_[column].size(); }
  /// [columns, columns], from x to; infinite from an empty column.
  [[nodiscard]] const double* costs() const { return cheapest_.data(); }

  void insert(std::size_t row, std::size_t column) {
    auto& members = members_[column];
    auto& minima = minima_[column];
    const std::size_t place = members.size();
    if (place % kRowsOfBlock == 0) minima.resize(minima.size() + costs_.columns, kNever);
    place_[row] = place;
    members.push_back(row);
    double* block = minima.data() + place / kRowsOfBlock * costs_.columns;
    double* cheapest = cheapest_.data() + column * costs_.columns;
    for (std::size_t to = 0; to < costs_.columns; ++to) {
      const double cost = costs_.move(row, column, to);
      block[to] = std::min(block[to], cost);
      cheapest[to] = std::min(cheapest[to], cost);
    }
  }

  void erase(std::size_t row, std::size_t column) {
    auto& members = members_[column];
    auto& minima = minima_[column];
    const std::size_t place = place_[row], last = members.back();
    const std::size_t block = place / kRowsOfBlock, last_block = (members.size() - 1) / kRowsOfBlock;
    // The last row closes the gap.
    members[place] = last;
    place_[last] = place;
    members.pop_back();
    for (std::size_t to = 0; to < costs_.columns; ++to) {
      const double gone = costs_.move(row, column, to), moved = costs_.move(last, column, to);
      double& last_minimum = minima[last_block * costs_.columns + to];
      if (last_block != block && last_minimum == moved) {
        last_minimum = block_minimum(column, last_block, to, moved);
      }
      double& minimum = minima[block * costs_.columns + to];
      minimum = minimum == gone ? block_minimum(column, block, to, std::min(gone, moved))
                                : std::min(minimum, moved);
      double& cheapest = cheapest_[column * costs_.columns + to];
      if (cheapest == gone) {
        cheapest = kNever;
        for (std::size_t at = to; at < minima.size() && cheapest != gone; at += costs_.columns) {
          cheapest = std::min(cheapest, minima[at]);
        }
      }
    }
    if (members.size() % kRowsOfBlock == 0) minima.resize(minima.size() - costs_.columns);
  }

  /// The row of the cheapest move; `from` must not be empty.
  [[nodiscard]] std::size_t row(std::size_t from, std::size_t to) const {
    const double cost = cheapest_[from * costs_.columns + to];
    std::size_t block = 0;
    while (minima_[from][block * costs_.columns + to] != cost) ++block;
    std::size_t place = block * kRowsOfBlock;
    while (costs_.move(members_[from][place], from, to) != cost) ++place;
    return members_[from][place];
  }

 private:
  /// `least`: none of them is less; where rows are equal, another one has the same soon.
  [[nodiscard]] double block_minimum(std::size_t column, std::size_t block, std::size_t to,
                                     double least) const {
    const auto& members = members_[column];
    const std::size_t end = std::min(members.size(), (block + 1) * kRowsOfBlock);
    double minimum = kNever;
    for (std::size_t place = block * kRowsOfBlock; place < end && minimum != least; ++place) {
      minimum = std::min(minimum, costs_.move(members[place], column, to));
    }
    return minimum;
  }

  CostMatrix<T> costs_;
  std::vector<double> cheapest_;
  std::vector<std::vector<std::size_t>> members_;
  std::vector<std::vector<double>> minima_;  ///< of each column: [blocks, columns]
  std::vector<std::size_t> place_;           ///< of each row among its column's members
};

/// The flow. Every column grants a number of places within the bounds; the difference to the rows it has goes
/// away path by path, to or from other columns whose numbers differ, or by granting another number. All the
/// while no cycle of moves saves anything, because cost + price differences of moves stay at least 0, and
/// prices of columns that could grant more (fewer) are at most (at least) 0.
template <typename T>
class BoundedFlow {
 public:
  BoundedFlow(const CostMatrix<T>& costs, std::int64_t least, std::int64_t most, std::vector<double> prices)
      : costs_(costs),
        least_(least),
        most_(most),
        moves_(costs),
        granted_(costs.columns),
        distance_(costs.columns),
        next_(costs.columns),
        is_settled_(costs.columns) {
    result_.columns.resize(costs.rows);
    result_.prices = std::move(prices);
  }

  BoundedAssignment solve() && {
    start();
    for (std::size_t column = 0; column < costs_.columns; ++column) {
      while (surplus(column) > 0) mend<kGiveAway>(column);
    }
    for (std::size_t column = 0; column < costs_.columns; ++column) {
      while (surplus(column) < 0) mend<kFetch>(column);
    }
    for (std::size_t i = 0; i < costs_.rows; ++i)
      result_.cost += static_cast<double>(costs_.row(i)[column_of(i)]);
    return std::move(result_);
  }

 private:
  enum Direction { kGiveAway, kFetch };
  struct Relocation {
    std::size_t row, from, to;
  };

  [[nodiscard]] std::size_t column_of(std::size_t row) const {
    return static_cast<std::size_t>(result_.columns[row]);
  }
  [[nodiscard]] std::int64_t surplus(std::size_t column) const {
    return static_cast<std::int64_t>(moves_.size(column)) - granted_[column];
  }

  void start() {
    const auto& prices = result_.prices;
    for (std::size_t i = 0; i < costs_.rows; ++i) {
      const T* costs = costs_.row(i);
      double least = kNever;
      std::size_t column = 0;
      bool is_finite = true;
      for (std::size_t j = 0; j < costs_.columns; ++j) {
        const auto cost = static_cast<double>(costs[j]);
        is_finite = is_finite && std::isfinite(cost);
        if (cost + prices[j] < least) {
          least = cost + prices[j];
          column = j;
        }
      }
      if (!is_finite) {
        std::string text = "bounded assignment: a cost of row ";
        text += std::to_string(i);
        text += " is not a finite number; look for NaN or infinity in the data";
        throw DataError(text);
      }
      result_.columns[i] = static_cast<std::int64_t>(column);
      moves_.insert(i, column);
    }
    for (std::size_t j = 0; j < costs_.columns; ++j) {
      const auto size = static_cast<std::int64_t>(moves_.size(j));
      granted_[j] = prices[j] > 0 ? most_ : prices[j] < 0 ? least_ : std::clamp(size, least_, most_);
    }
  }

  /// Takes one row from `column` (or brings it one), along the cheapest way to a column where that is right.
  template <Direction kDirection>
  void mend(std::size_t column) {
    const double length = search<kDirection>(column);
    for (const std::size_t u : settled_) {
      const double change = length - distance_[u];
      result_.prices[u] += kDirection == kGiveAway ? change : -change;
    }
    if (ends_by_granting_) {
      result_.prices[end_] = 0;  // as it is, but for rounding
      granted_[end_] += kDirection == kGiveAway ? 1 : -1;
    }
    relocations_.clear();
    for (std::size_t u = end_; u != column; u = next_[u]) {
      const std::size_t from = kDirection == kGiveAway ? next_[u] : u;
      const std::size_t to = kDirection == kGiveAway ? u : next_[u];
      relocations_.push_back({moves_.row(from, to), from, to});
    }
    for (const Relocation& r : relocations_) {
      moves_.erase(r.row, r.from);
      moves_.insert(r.row, r.to);
      result_.columns[r.row] = static_cast<std::int64_t>(r.to);
    }
  }

  /// Dijkstra's search from `column` over moves away from it (or to it); returns the length of the shortest
  /// way by reduced costs, and leaves its end, the ways (next_) and what was settled.
  template <Direction kDirection>
  double search(std::size_t column) {
    const std::size_t n = costs_.columns;
    const double* prices = result_.prices.data();
    std::fill(distance_.begin(), distance_.end(), kNever);
    std::fill(is_settled_.begin(), is_settled_.end(), false);
    settled_.clear();
    distance_[column] = 0;
    double by_granting = kNever;
    for (std::size_t u = column;;) {
      is_settled_[u] = true;
      settled_.push_back(u);
      if (kDirection == kGiveAway && surplus(u) < 0) {
        end_ = u;
        ends_by_granting_ = false;
        return distance_[u];
      }
      // Rounding must not make a step shorter than 0.
      const bool can_grant = kDirection == kGiveAway ? granted_[u] < most_ : granted_[u] > least_;
      const double price = kDirection == kGiveAway ? -prices[u] : prices[u];
      if (can_grant && distance_[u] + std::max(0.0, price) < by_granting) {
        by_granting = distance_[u] + std::max(0.0, price);
        end_ = u;
      }
      const double* step = kDirection == kGiveAway ? moves_.costs() + u * n : moves_.costs() + u;
      const std::size_t stride = kDirection == kGiveAway ? 1 : n;
      double nearest = by_granting;
      std::size_t following = n;
      for (std::size_t v = 0; v < n; ++v) {
        if (is_settled_[v]) continue;
        const double difference = kDirection == kGiveAway ? prices[v] - prices[u] : prices[u] - prices[v];
        const double distance = distance_[u] + std::max(0.0, step[v * stride] + difference);
        if (distance < distance_[v]) {
          distance_[v] = distance;
          next_[v] = u;
        }
        if (distance_[v] < nearest) {
          nearest = distance_[v];
          following = v;
        }
      }
      if (following == n) break;
      u = following;
    }
    if (by_granting == kNever) throw Error(ExitCode::kInternal, "bounded assignment: no way to the bounds");
    ends_by_granting_ = true;
    return by_granting;
  }

  CostMatrix<T> costs_;
  std::int64_t least_, most_;
  CheapestMoves<T> moves_;
  BoundedAssignment result_;
  std::vector<std::int64_t> granted_;

  // Of the last search.
  std::vector<double> distance_;
  std::vector<std::size_t> next_;  ///< of a column on its way to where the search began
  std::vector<char> is_settled_;
  std::vector<std::size_t> settled_;
  std::size_t end_ = 0;
  bool ends_by_granting_ = false;
  std::vector<Relocation> relocations_;
};

void require_feasible(std::int64_t rows, std::int64_t columns, const SizeBounds& bounds) {
  const bool is_range = bounds.min >= 0 && bounds.min <= bounds.max;
  // Divided instead of multiplied: bounds may be as large as their type.
  const bool is_feasible = columns == 0 ? rows == 0
                                        : bounds.min <= rows / columns &&
                                              bounds.max >= rows / columns + (rows % columns == 0 ? 0 : 1);
  if (is_range && is_feasible) return;
  std::string text = "size bounds ";
  text += std::to_string(bounds.min) + " to " + std::to_string(bounds.max);
  text += " cannot hold for " + std::to_string(rows) + " rows in " + std::to_string(columns);
  text +=
      " clusters: expected 0 <= min <= rows / clusters <= max; change the bounds or the number of clusters";
  throw UsageError(text);
}

template <typename T>
BoundedAssignment solve(std::span<const T> costs, std::int64_t rows, std::int64_t columns,
                        const SizeBounds& bounds, std::span<const double> start_prices) {
  if (rows < 0 || columns < 0 || static_cast<std::int64_t>(costs.size()) != rows * columns ||
      (!start_prices.empty() && static_cast<std::int64_t>(start_prices.size()) != columns)) {
    throw Error(ExitCode::kInternal, "bounded assignment: costs or prices of another size than was said");
  }
  require_feasible(rows, columns, bounds);
  const CostMatrix<T> matrix{costs.data(), static_cast<std::size_t>(rows), static_cast<std::size_t>(columns)};
  std::vector<double> prices(start_prices.begin(), start_prices.end());
  prices.resize(matrix.columns, 0);
  return BoundedFlow<T>(matrix, bounds.min, std::min(bounds.max, rows), std::move(prices)).solve();
}

}  // namespace

BoundedAssignment bounded_assignment(std::span<const float> costs, std::int64_t rows, std::int64_t columns,
                                     const SizeBounds& bounds, std::span<const double> start_prices) {
  return solve(costs, rows, columns, bounds, start_prices);
}

BoundedAssignment bounded_assignment(std::span<const double> costs, std::int64_t rows, std::int64_t columns,
                                     const SizeBounds& bounds, std::span<const double> start_prices) {
  return solve(costs, rows, columns, bounds, start_prices);
}

}  // namespace genrec
