#include "tokenizers/identifier_similarity.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"

namespace genrec {
namespace {

struct SparseRows {
  const SparseFeatures& features;
  [[nodiscard]] std::int64_t dimensions() const { return features.dimensions; }
  /// visit(column, value) for each number of a row that is not zero.
  template <typename Visit>
  void each(ItemId item, Visit visit) const {
    const auto row = static_cast<std::size_t>(item);
    for (auto i = static_cast<std::size_t>(features.offsets[row]);
         i < static_cast<std::size_t>(features.offsets[row + 1]); ++i) {
      visit(static_cast<std::size_t>(features.columns[i]), static_cast<double>(features.values[i]));
    }
  }
};

struct DenseRows {
  std::span<const float> features;
  std::size_t columns;
  [[nodiscard]] std::int64_t dimensions() const { return static_cast<std::int64_t>(columns); }
  template <typename Visit>
  void each(ItemId item, Visit visit) const {
    const auto row = features.subspan(static_cast<std::size_t>(item) * columns, columns);
    for (std::size_t column = 0; column < columns; ++column) visit(column, static_cast<double>(row[column]));
  }
};

/// Sums of cosines over groups of items.
template <typename Rows>
class CosineSums {
 public:
  CosineSums(const Rows& rows, std::int64_t items)
      : rows_(rows),
        scale_(static_cast<std::size_t>(items), 0),
        sum_(static_cast<std::size_t>(rows.dimensions()), 0) {
    for (std::size_t item = 0; item < scale_.size(); ++item) {
      double squares = 0;
      rows_.each(static_cast<ItemId>(item),
                 [&squares](std::size_t, double value) { squares += value * value; });
      if (squares > 0) scale_[item] = 1 / std::sqrt(squares);
    }
  }

  /// Sum over ordered pairs of different items of the group.
  double over(std::span<const ItemId> group) {
    double own = 0;
    for (const ItemId item : group) {
      const double scale = scale_[static_cast<std::size_t>(item)];
      if (scale == 0) continue;
      own += 1;
      rows_.each(item, [&](std::size_t column, double value) {
        if (sum_[column] == 0) touched_.push_back(column);
        sum_[column] += scale * value;
      });
    }
    double squares = 0;
    for (const std::size_t column : touched_) {
      squares += sum_[column] * sum_[column];
      sum_[column] = 0;  // a column may be noted twice: it counts once
    }
    touched_.clear();
    return squares - own;
  }

 private:
  const Rows& rows_;
  std::vector<double> scale_;  ///< 1 / length of each row
  std::vector<double> sum_;
  std::vector<std::size_t> touched_;
};

template <typename Rows>
double similarity(const IdentifierTable& table, const Rows& rows) {
  CosineSums<Rows> sums(rows, table.items());
  std::vector<ItemId> items(static_cast<std::size_t>(table.items()));
  std::iota(items.begin(), items.end(), 0);
  const double all = sums.over(items);
  if (!(all > 0)) return 0;

  double matches = 0;
  for (std::int64_t position = 0; position < table.max_length(); ++position) {
    const auto p = static_cast<std::size_t>(position);
    std::erase_if(items, [&](ItemId item) { return table.of(item).size() <= p; });
    std::stable_sort(items.begin(), items.end(),
                     [&](ItemId a, ItemId b) { return table.of(a)[p] < table.of(b)[p]; });
    for (std::size_t first = 0, last = 0; first < items.size(); first = last) {
      const SymbolId symbol = table.of(items[first])[p];
      while (last < items.size() && table.of(items[last])[p] == symbol) ++last;
      matches += sums.over(std::span(items).subspan(first, last - first));
    }
  }
  return matches / all;
}

void require_rows(const IdentifierTable& table, std::int64_t rows) {
  if (rows != table.items()) {
    throw DataError("text features: " + std::to_string(rows) + " rows, expected one for each of the " +
                    std::to_string(table.items()) + " items");
  }
}

}  // namespace

double semantic_identifier_similarity(const IdentifierTable& table, const SparseFeatures& features) {
  require_rows(table, features.rows());
  return similarity(table, SparseRows{features});
}

double semantic_identifier_similarity(const IdentifierTable& table, std::span<const float> features,
                                      std::int64_t dimensions) {
  if (dimensions < 1 || static_cast<std::int64_t>(features.size()) % dimensions != 0) {
    throw DataError("text features: expected rows of " + std::to_string(dimensions) + " numbers");
  }
  require_rows(table, static_cast<std::int64_t>(features.size()) / dimensions);
  return similarity(table, DenseRows{features, static_cast<std::size_t>(dimensions)});
}

}  // namespace genrec
