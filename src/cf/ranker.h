#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"

namespace genrec {

/// For whom items are to be scored.
struct RankerQuery {
  UserId user = 0;
  std::span<const ItemId> history;  ///< in the order of time; models use as much of it as they can
};

/// A recommender that scores every item.
class ItemRanker {
 public:
  virtual ~ItemRanker() = default;
  [[nodiscard]] virtual std::int64_t items() const = 0;
  /// [queries, items] float32, higher is better, on the model's device; the caller may write into it. Not
  /// collective.
  [[nodiscard]] virtual at::Tensor scores(std::span<const RankerQuery> queries) const = 0;
};

/// The min(k, items) items with the highest scores of every row of `scores` [rows, items] float32 on the
/// host, best first, one row behind the other; of equal scores the lower item comes first. Throws DataError
/// when scores are not numbers.
[[nodiscard]] std::vector<ItemId> rank_top_k(const at::Tensor& scores, std::int64_t k);

}  // namespace genrec
