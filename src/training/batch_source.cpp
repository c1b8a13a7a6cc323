#include "training/batch_source.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "base/shards.h"

namespace genrec {
namespace {

/// Tells the pool's order from that of recommendation, which has the same purpose.
constexpr std::uint64_t kAlignmentPool = 0x616c69676e;

}  // namespace

Seq2SeqBatch RecommendationSource::batch(std::int64_t epoch, std::int64_t step) {
  const std::int64_t round = first_epoch_ + epoch;
  Seq2SeqBatch batch;
  for (Sample sample : order_.samples(round, step))
    task_.append(sample, static_cast<std::uint64_t>(round), batch);
  return batch;
}

AlignmentSource::AlignmentSource(const AlignmentTask& task, int rank, int ranks, std::int64_t batch,
                                 std::uint64_t seed, std::int64_t first_epoch)
    : task_(task),
      rank_(rank),
      ranks_(ranks),
      batch_(batch),
      seed_(seed),
      first_epoch_(first_epoch),
      pool_(2 * task.trainable().size()) {
  if (pool_.empty()) {
    throw DataError(
        "alignment: none of the " + std::to_string(task.untitled()) +
        " items has a title; identifiers cannot be improved without titles: use the command train");
  }
}

std::int64_t AlignmentSource::steps_per_epoch() const {
  return (static_cast<std::int64_t>(pool_.size()) + batch_ - 1) / batch_;
}

void AlignmentSource::shuffle(std::int64_t epoch) {
  if (epoch == shuffled_epoch_) return;
  std::iota(pool_.begin(), pool_.end(), 0U);
  RandomStream stream(seed_, Purpose::kEpochOrder, {kAlignmentPool, static_cast<std::uint64_t>(epoch)});
  stream.shuffle(std::span(pool_));
  shuffled_epoch_ = epoch;
}

Seq2SeqBatch AlignmentSource::batch(std::int64_t epoch, std::int64_t step) {
  shuffle(first_epoch_ + epoch);
  const std::int64_t begin = step * batch_;
  const std::int64_t count = std::min(batch_, static_cast<std::int64_t>(pool_.size()) - begin);
  const Range mine = even_part(count, rank_, ranks_);
  Seq2SeqBatch batch;
  for (std::int64_t i = begin + mine.begin; i < begin + mine.end; ++i) {
    const std::uint32_t entry = pool_[static_cast<std::size_t>(i)];
    task_.append(task_.trainable()[entry / 2], static_cast<AlignmentDirection>(entry % 2), batch);
  }
  return batch;
}

}  // namespace genrec
