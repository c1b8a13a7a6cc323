#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "data/virtual_shards.h"

namespace genrec {

TrainingOrder::TrainingOrder(const VirtualShards& shards, const Interactions& mine, int rank, int ranks,
                             std::int64_t batch, std::uint64_t seed)
    : shard_count_(shards.count()), batch_(batch), seed_(seed) {
  if (batch < 1) throw UsageError("train.batch = " + std::to_string(batch) + ": expected at least 1");
  // Shard s is through once floor((t * batch + s) / shards) reaches its samples.
  for (std::int32_t s = 0; s < shard_count_; ++s) {
    const std::int64_t needed = shards.samples(s) * shard_count_ - s;
    if (needed > 0) steps_ = std::max(steps_, (needed + batch - 1) / batch);
  }
  for (std::int32_t s = rank; s < shard_count_; s += ranks) owned_.push_back(s);
  sorted_.resize(owned_.size());
  for (std::int64_t row = 0; row < mine.rows(); ++row) {
    const std::int32_t shard = shards.shard_of(mine.users[static_cast<std::size_t>(row)]);
    if (shard % ranks != rank) {
      throw Error(ExitCode::kInternal, "user " + std::to_string(mine.users[static_cast<std::size_t>(row)]) +
                                           " is of another rank's shard");
    }
    auto& samples = sorted_[static_cast<std::size_t>((shard - rank) / ranks)];
    for (std::int64_t target = 1; target < mine.length(row) - 2; ++target) {
      samples.push_back({static_cast<std::int32_t>(row), static_cast<std::int32_t>(target)});
    }
  }
}

void TrainingOrder::shuffle(std::int64_t epoch) {
  if (epoch == shuffled_epoch_) return;
  shuffled_ = sorted_;
  for (std::size_t i = 0; i < owned_.size(); ++i) {
    RandomStream stream(seed_, Purpose::kEpochOrder,
                        {static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(owned_[i])});
    stream.shuffle(std::span(shuffled_[i]));
  }
  shuffled_epoch_ = epoch;
}

std::vector<Sample> TrainingOrder::samples(std::int64_t epoch, std::int64_t step) {
  shuffle(epoch);
  std::vector<Sample> batch;
  for (std::size_t i = 0; i < owned_.size(); ++i) {
    const std::vector<Sample>& shard = shuffled_[i];
    // Samples that the shard has given before a step: the floors of all shards add up to step * batch, and
    // the odd ones go round the shards.
    const auto given = [&](std::int64_t steps) {
      return std::min((steps * batch_ + owned_[i]) / shard_count_, static_cast<std::int64_t>(shard.size()));
    };
    batch.insert(batch.end(), shard.begin() + given(step), shard.begin() + given(step + 1));
  }
  return batch;
}

std::vector<Sample> evaluation_samples(const Interactions& mine, Split split) {
  if (split == Split::kTrain) {
    throw Error(ExitCode::kInternal, "training samples come from TrainingOrder, not from evaluation_samples");
  }
  const std::int64_t from_end = split == Split::kTest ? 1 : 2;
  std::vector<Sample> samples;
  for (std::int64_t row = 0; row < mine.rows(); ++row) {
    if (mine.length(row) < 3) continue;
    samples.push_back(
        {static_cast<std::int32_t>(row), static_cast<std::int32_t>(mine.length(row) - from_end)});
  }
  return samples;
}

}  // namespace genrec
