#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "comm/communicator.h"
#include "comm/device_reducer.h"
#include "model/t5_model.h"
#include "training/batch_source.h"
#include "training/checkpoint.h"
#include "training/train_position.h"

namespace genrec {

/// Options of section `train`.
struct TrainOptions {
  std::int64_t epochs = 20;           ///< of the train command; siit's stages have their own
  std::int64_t max_steps = 0;         ///< of a stage; 0: by epochs
  std::int64_t batch = 256;           ///< samples of a global batch
  double lr = 1e-3;                   ///< largest learning rate
  std::string schedule = "constant";  ///< constant|linear|cosine|inverse-sqrt
  double warmup = 0;                  ///< below 1: fraction of the stage's steps, else steps
  bool scale_parameter = false;       ///< lr times each parameter's root mean square (Adafactor's rule)
  double weight_decay = 0.01;         ///< decoupled; not on norms and relative position biases
  double clip = 1.0;                  ///< largest gradient norm; 0: no clipping
  double dropout = 0.1;
  double tau = 1.0;                        ///< temperature of the ranking-guided loss; 1: cross entropy
  std::int64_t microbatch_tokens = 16384;  ///< computed at once by a rank; 0: its whole part of a batch
  std::int64_t hash_every = 200;  ///< steps between comparisons of the parameters over ranks; 0: never
  std::int64_t patience = 0;      ///< evaluations without a better score before `train` stops; 0: never
  std::int64_t eval_every = 1;    ///< epochs between validations of `train`; 0: only at the end
};

/// A step, as all ranks saw it.
struct StepReport {
  TrainPosition position;  ///< after the step
  std::int64_t steps = 0;  ///< of the whole stage
  double loss = 0;         ///< mean over the target tokens of the global batch
  double lr = 0;
  double gradient_norm = 0;  ///< before clipping
  std::int64_t samples = 0;  ///< of the global batch
  double samples_per_s = 0;  ///< of all ranks, since train() began
};

/// What train() has done from its begin to the last step; times are this rank's.
struct Throughput {
  std::int64_t samples = 0;        ///< of all ranks
  std::int64_t target_tokens = 0;  ///< of all ranks
  std::int64_t source_tokens = 0;  ///< of this rank
  double seconds = 0;
  double data_s = 0;           ///< waiting for a batch
  double compute_s = 0;        ///< forward, backward and optimiser
  double communication_s = 0;  ///< waiting for sums over ranks
};

/// What the owner of a stage wants to be asked and told. Empty members are skipped.
struct TrainHooks {
  /// After every step that had samples, on all ranks.
  std::function<void(const StepReport&)> on_step;
  /// This rank's own wish to stop (a signal, a time limit); one rank's wish is enough.
  std::function<bool()> should_stop;
  /// Whether a checkpoint is due; rank 0's answer holds.
  std::function<bool()> checkpoint_due;
  /// Saves a checkpoint; on all ranks, between steps: when due, and before train() returns kStopped.
  std::function<void()> save;
  /// After the last step of an epoch, on all ranks, with the number of epochs done: validation. Must return
  /// the same on every rank; false ends the stage.
  std::function<bool(std::int64_t epochs_done)> on_epoch;
};

enum class TrainEnd { kDone, kStopped };

/// One stage of training.
struct TrainStage {
  std::string name;  ///< for messages: "warm-up"
  std::int64_t epochs = 0;
  std::uint64_t seed = 0;  ///< of the dropout masks: another one for each stage
};

/// Trains a model on batches of any task; data parallel: every rank computes its part of a global batch,
/// gradients are summed over ranks in buckets during the last backward pass, and divided by the global number
/// of target tokens. Keeps references.
class Trainer {
 public:
  /// `device_sums`: for gradients in device memory (NCCL); null: over `world`. Throws UsageError for options
  /// that make no sense together.
  Trainer(T5Model& model, BatchSource& source, const TrainOptions& options, TrainStage stage,
          Communicator& world, DeviceReducer* device_sums = nullptr);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Goes on where a checkpoint stood; the model's weights are the caller's to restore. Throws DataError when
  /// the state does not fit the model.
  void restore(const TrainPosition& position, const OptimizerState& optimizer);

  /// Runs to the end of the stage, or until a rank wants to stop. Collective. Throws DataError (on every
  /// rank, before the weights change) when the loss or the gradient is not finite.
  TrainEnd train(const TrainHooks& hooks = {});

  [[nodiscard]] const TrainPosition& position() const;
  /// Optimiser steps of the whole stage.
  [[nodiscard]] std::int64_t total_steps() const;
  [[nodiscard]] const Throughput& throughput() const;
  /// A copy of the moments on the host, for a checkpoint.
  [[nodiscard]] OptimizerState optimizer_state() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace genrec
