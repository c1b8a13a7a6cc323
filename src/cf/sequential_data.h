#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.h"

namespace genrec {

/// Item sequences, packed one behind the other, and what follows each item.
struct SequenceBatch {
  std::vector<std::int64_t> offsets{0};  ///< sequences + 1
  std::vector<UserId> users;             ///< of the sequences
  std::vector<ItemId> items;
  std::vector<ItemId> targets;    ///< as many: the item that follows; empty where nothing is trained
  std::vector<ItemId> negatives;  ///< as many, or none: an item that the user does not have

  [[nodiscard]] std::int64_t sequences() const { return static_cast<std::int64_t>(users.size()); }
  [[nodiscard]] std::int64_t positions() const { return offsets.back(); }
  void append(UserId user, std::span<const ItemId> sequence);
};

/// The training sequences: of every user with at least 4 items the last `history` items of the training part
/// (all but the last two) that have a successor in it.
///
/// Global batch `step` of an epoch is a run of a permutation of all these users, a function of (seed, epoch,
/// step); a rank makes the sequences of its own users. Keeps a reference.
class SequenceBatches {
 public:
  /// `batch`: users of a global batch. Throws UsageError, and DataError when nobody has a sequence.
  SequenceBatches(const Dataset& dataset, std::int64_t history, std::int64_t batch, std::uint64_t seed);
  [[nodiscard]] std::int64_t steps_per_epoch() const;
  /// This rank's part of a global batch, may be empty. Negatives are drawn uniformly outside the user's
  /// training part.
  [[nodiscard]] SequenceBatch batch(std::int64_t epoch, std::int64_t step, bool with_negatives) const;

 private:
  const Dataset& dataset_;
  std::int64_t history_, batch_;
  std::uint64_t seed_;
  std::vector<UserId> users_;  ///< of all ranks, who have a sequence
};

}  // namespace genrec
