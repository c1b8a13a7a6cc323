#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/shards.h"
#include "data/dataset.h"

namespace genrec {

/// Deals users to a fixed number of shards, balanced by training samples: a function of the lengths and the
/// seed, not of the rank count. Rank r owns the shards r, r + ranks, ...
class VirtualShards {
 public:
  VirtualShards(std::span<const std::int32_t> lengths, std::int32_t shards, std::uint64_t seed);

  [[nodiscard]] std::int32_t count() const { return static_cast<std::int32_t>(samples_.size()); }
  [[nodiscard]] std::int32_t shard_of(UserId user) const { return shard_of_[static_cast<std::size_t>(user)]; }
  /// Training samples of a shard.
  [[nodiscard]] std::int64_t samples(std::int32_t shard) const {
    return samples_[static_cast<std::size_t>(shard)];
  }
  /// Users of a rank, ascending.
  [[nodiscard]] std::vector<UserId> users_of_rank(int rank, int ranks) const;

 private:
  std::vector<std::int32_t> shard_of_;
  std::vector<std::int64_t> samples_;
};

/// The order of training: global batch `step` of `epoch` takes a fixed quota of samples from every shard, in
/// shard order; this object yields one rank's part. Shard s of V has given floor((step * batch + s) / V)
/// samples before a step, so a batch is full until shards run out in the epoch's last steps. A function of
/// (seed, epoch, step): nothing to save but these numbers.
class TrainingOrder {
 public:
  /// `batch`: samples of a global batch.
  TrainingOrder(const VirtualShards& shards, const Interactions& mine, int rank, int ranks,
                std::int64_t batch, std::uint64_t seed);
  [[nodiscard]] std::int64_t steps_per_epoch() const { return steps_; }
  /// This rank's samples of one global batch; may be empty (the rank still takes part in the step).
  [[nodiscard]] std::vector<Sample> samples(std::int64_t epoch, std::int64_t step);

 private:
  void shuffle(std::int64_t epoch);
  std::int32_t shard_count_;
  std::int64_t batch_, steps_ = 0;
  std::uint64_t seed_;
  std::int64_t shuffled_epoch_ = -1;
  std::vector<std::vector<Sample>> sorted_, shuffled_;  ///< per owned shard
  std::vector<std::int32_t> owned_;
};

/// One evaluation sample a user of this rank (those with at least 3 items), in row order; not for kTrain.
[[nodiscard]] std::vector<Sample> evaluation_samples(const Interactions& mine, Split split);

}  // namespace genrec
