#pragma once
#include <cstdint>
#include <vector>

#include "data/virtual_shards.h"
#include "model/batch.h"
#include "training/tasks.h"

namespace genrec {

/// Where training batches come from: a function of (epoch, step), so that nothing but these two numbers has
/// to be saved. Global batches do not depend on the rank count; a source yields this rank's part of them.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  [[nodiscard]] virtual std::int64_t steps_per_epoch() const = 0;
  /// May be empty: the rank still takes part in the step. Not thread-safe.
  [[nodiscard]] virtual Seq2SeqBatch batch(std::int64_t epoch, std::int64_t step) = 0;
};

/// Recommendation samples in the order of TrainingOrder; keeps references. `first_epoch` is added to the
/// epoch: a later stage takes other orders and templates than an earlier one.
class RecommendationSource : public BatchSource {
 public:
  RecommendationSource(TrainingOrder& order, const RecommendationTask& task, std::int64_t first_epoch = 0)
      : order_(order), task_(task), first_epoch_(first_epoch) {}
  [[nodiscard]] std::int64_t steps_per_epoch() const override { return order_.steps_per_epoch(); }
  [[nodiscard]] Seq2SeqBatch batch(std::int64_t epoch, std::int64_t step) override;

 private:
  TrainingOrder& order_;
  const RecommendationTask& task_;
  std::int64_t first_epoch_;
};

/// Alignment samples: one of each direction an item and epoch, in one shuffled pool (method 5.4 #5) that is
/// cut into global batches; ranks take contiguous even parts of a batch. Keeps a reference.
class AlignmentSource : public BatchSource {
 public:
  /// `batch`: samples of a global batch.
  AlignmentSource(const AlignmentTask& task, int rank, int ranks, std::int64_t batch, std::uint64_t seed,
                  std::int64_t first_epoch = 0);
  [[nodiscard]] std::int64_t steps_per_epoch() const override;
  [[nodiscard]] Seq2SeqBatch batch(std::int64_t epoch, std::int64_t step) override;

 private:
  void shuffle(std::int64_t epoch);

  const AlignmentTask& task_;
  std::int64_t rank_, ranks_, batch_;
  std::uint64_t seed_;
  std::int64_t first_epoch_;
  std::int64_t shuffled_epoch_ = -1;
  std::vector<std::uint32_t> pool_;  ///< 2 * position in trainable() + direction
};

}  // namespace genrec
