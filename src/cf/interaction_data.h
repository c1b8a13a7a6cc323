#pragma once
#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace genrec {

/// Pairs of a user and an item of their training part.
struct InteractionBatch {
  std::vector<std::int64_t> rows;  ///< of this rank's Interactions
  std::vector<ItemId> positives;
  std::vector<ItemId> negatives;  ///< as many, or none: an item that the user does not have

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(rows.size()); }
};

/// Every interaction of the training part (all but a user's last two items) once an epoch. Global batch
/// `step` of an epoch is a run of a permutation of them all, a function of (seed, epoch, step); a rank takes
/// those of its own users. Keeps a reference.
class InteractionBatches {
 public:
  /// `batch`: interactions of a global batch. Throws UsageError, and DataError when there is no interaction.
  InteractionBatches(const Dataset& dataset, std::int64_t batch, std::uint64_t seed);
  [[nodiscard]] std::int64_t steps_per_epoch() const;
  /// This rank's part of a global batch, may be empty. Negatives are drawn uniformly outside the user's
  /// training part.
  [[nodiscard]] InteractionBatch batch(std::int64_t epoch, std::int64_t step, bool with_negatives) const;

 private:
  const Dataset& dataset_;
  std::int64_t batch_;
  std::uint64_t seed_;
  std::vector<std::int64_t> begins_{0};  ///< users of all ranks + 1: their first interaction's number
};

}  // namespace genrec
