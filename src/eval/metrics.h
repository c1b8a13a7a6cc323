#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/types.h"
#include "comm/communicator.h"

namespace genrec {

/// Recall@k and NDCG@k with one relevant item a user, as exact counts of the ranks at which targets were
/// found: sums over threads and MPI ranks do not depend on their order.
class RankCounts {
 public:
  /// Ranks above `limit` count as misses.
  explicit RankCounts(std::int32_t limit) : found_(static_cast<std::size_t>(limit) + 1) {}
  /// `rank` from 1; 0: the target is not in the list.
  void add(std::int64_t rank);
  /// Adds the other ranks' counts; collective.
  void reduce(Communicator& world);
  [[nodiscard]] std::int64_t users() const;
  /// hits / users; 0 without users.
  [[nodiscard]] double recall(std::int32_t k) const;
  /// Mean of 1 / log2(rank + 1) over users, 0 for a rank above k.
  [[nodiscard]] double ndcg(std::int32_t k) const;
  /// "recall@k" and "ndcg@k" for every k.
  [[nodiscard]] Metrics metrics(std::span<const std::int32_t> ks) const;

 private:
  std::vector<std::int64_t> found_;  ///< [r]: users whose target has rank r; [0]: misses
};

/// Coverage@k: the share of all items that is in some user's first k.
class Coverage {
 public:
  Coverage(std::int64_t items, std::int32_t limit)
      : best_(static_cast<std::size_t>(items), limit + 1), limit_(limit) {}
  /// `rank` from 1.
  void add(ItemId item, std::int32_t rank);
  /// Joins what the other ranks saw; collective, in chunks.
  void reduce(Communicator& world);
  [[nodiscard]] double at(std::int32_t k) const;

 private:
  std::vector<std::int32_t> best_;  ///< the best rank of each item
  std::int32_t limit_;
};

/// What is wrong with recall and NDCG values of one target a user (method 7.2): for every k and every two
/// neighbouring ks a < b,
/// recall@a / log2(a+1) <= ndcg@a <= recall@a, and
/// (recall@b - recall@a) / log2(b+1) <= ndcg@b - ndcg@a <= (recall@b - recall@a) / log2(a+2).
/// Empty when all hold within `tolerance` (published tables: half a unit of their last digit, twice).
[[nodiscard]] std::vector<std::string> inconsistencies(const Metrics& metrics, double tolerance = 1e-9);

}  // namespace genrec
