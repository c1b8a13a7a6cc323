#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "cf/training_state.h"
#include "comm/communicator.h"
#include "nn/parameter_store.h"

namespace genrec {

/// How a collaborative model is trained: AdamW with a constant rate.
struct CfTrainOptions {
  std::int64_t epochs = 200;
  std::int64_t batch = 256;  ///< of the whole world: users (SASRec) or interactions (LightGCN)
  double lr = 1e-3;
  double weight_decay = 0;  ///< decoupled
  /// Epochs between validations, where there is a `validate`; the last epoch has one in any case.
  std::int64_t eval_every = 1;
  std::int64_t patience = 10;  ///< validations without a better score before training ends; 0: never
};

/// A loss summed over `terms` samples.
struct BatchLoss {
  double sum = 0;
  double terms = 0;
};

/// What one epoch came to, the same on all ranks.
struct CfEpoch {
  std::int64_t epoch = 0;  ///< epochs done
  double loss = 0;         ///< mean over the epoch's samples
  std::optional<double> score;
  double seconds = 0;  ///< of training, earlier calls included; this rank's
};

/// What the owner of a training wants to be asked and told; empty members are skipped.
struct CfTrainHooks {
  /// The score of the present parameters, higher is better: NDCG@10 on validation. On all ranks, with the
  /// same result. The best parameters are kept.
  std::function<double()> validate;
  /// This rank's own wish to stop; one rank's wish is enough. Asked at every step.
  std::function<bool()> should_stop;
  /// Whether a state is to be kept; rank 0's answer counts. Asked at every step.
  std::function<bool()> checkpoint_due;
  /// Keeps a state: when one is due, at a wish to stop, and when training is done. Its tensors are those in
  /// training, so they have to be copied at once. On all ranks.
  std::function<void(const CfTrainState&)> save;
  /// Asked at the start, on all ranks: fills in the state that an earlier call kept, in place; `best` is
  /// given for one with a best score. False where there is none.
  std::function<bool(CfTrainState&)> restore;
  /// After every epoch, on all ranks.
  std::function<void(const CfEpoch&)> on_epoch;
  Progress* progress = nullptr;
};

struct CfTrainReport {
  std::int64_t epochs = 0;  ///< done
  double loss = 0;          ///< of the last one
  /// Where the parameters are from: the epoch with the best score, or without validation the last one that
  /// was done.
  std::int64_t best_epoch = 0;
  /// Steps of the epoch after it that the parameters have in them: a stop before any validation leaves some.
  std::int64_t steps_after = 0;
  std::optional<double> best_score;
  bool stopped = false;  ///< by a wish to stop
  double seconds = 0;    ///< earlier calls included
};

/// Where the parameters are from, in words: "epoch 3", "epoch 0 and 12 steps of the next".
[[nodiscard]] std::string origin_of_parameters(const CfTrainReport& report);

/// A model as train_collaborative() sees it.
struct CfTask {
  std::string name;  ///< for messages and progress: "SASRec"
  std::int64_t steps_per_epoch = 0;
  std::vector<ParameterStore*> stores;
  /// Leaves in the stores the gradients of the loss summed over the global batch, complete over ranks;
  /// returns this rank's part of the loss. Collective.
  std::function<BatchLoss(std::int64_t epoch, std::int64_t step)> gradients;
  /// Makes the model ready to score with its present parameters; may be empty. Collective.
  std::function<void()> ready_to_score;
};

/// Trains by epochs until they are done, validation no longer improves, or a rank wants to stop; then
/// restores the best parameters. A training that was stopped and restored ends bit for bit like one that was
/// let alone, on as many ranks. Collective. Throws UsageError for options that make no sense, DataError when
/// the loss, or a parameter before a validation or at the end, is not finite (on every rank, whichever has
/// it).
CfTrainReport train_collaborative(const CfTask& task, const CfTrainOptions& options,
                                  const CfTrainHooks& hooks, Communicator& world);

}  // namespace genrec
