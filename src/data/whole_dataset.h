#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/repairs.h"
#include "io/sha256.h"

namespace genrec {

/// A dataset before it is dealt to ranks: all items and all histories (CSR, row = user).
struct WholeDataset {
  std::string name;
  Catalogue catalogue;
  std::vector<std::int64_t> offsets{0};
  std::vector<ItemId> items;

  [[nodiscard]] std::int64_t users() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  [[nodiscard]] std::span<const ItemId> row(std::int64_t user) const {
    const auto u = static_cast<std::size_t>(user);
    return std::span(items).subspan(static_cast<std::size_t>(offsets[u]),
                                    static_cast<std::size_t>(offsets[u + 1] - offsets[u]));
  }
};

/// Keeps the first `max_users` users and the items below `max_items` (0: no limit).
void limit(WholeDataset& whole, std::int64_t max_users, std::int64_t max_items, DatasetRepairs& repairs);

/// Counts what DatasetRepairs asks for, but for what limit() counts.
void count(const WholeDataset& whole, DatasetRepairs& repairs);

/// Interactions with an item that the same history (CSR) holds before; `catalogue`: number of items.
[[nodiscard]] std::int64_t repeated_items(std::span<const std::int64_t> offsets,
                                          std::span<const ItemId> items, std::int64_t catalogue);

/// Counts users with too short a history and items without a title.
void count_gaps(std::span<const std::int32_t> lengths, const Catalogue& catalogue, DatasetRepairs& repairs);

/// SHA-256 over history lengths, items in order, titles and descriptions: the same for equal content in
/// whatever format it was stored. Items may come in blocks.
class Fingerprint {
 public:
  explicit Fingerprint(std::span<const std::int64_t> offsets);
  void add_items(std::span<const ItemId> items) { hash_.update(std::as_bytes(items)); }
  /// The object may not be used after.
  [[nodiscard]] std::string finish(const Catalogue& catalogue);

 private:
  void add_count(std::size_t count);
  Sha256 hash_;
};

[[nodiscard]] std::string fingerprint(const WholeDataset& whole);

/// What one rank keeps: its users' histories (VirtualShards), everything else whole.
[[nodiscard]] Dataset share_of_rank(WholeDataset whole, std::int32_t shards, std::uint64_t seed, int rank,
                                    int ranks);

}  // namespace genrec
