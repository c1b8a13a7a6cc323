#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "comm/device_reducer.h"
#include "data/embeddings.h"
#include "optim/adamw.h"
#include "optim/gradient_reducer.h"
#include "tokenizers/rqvae/rqvae_batches.h"
#include "tokenizers/rqvae/rqvae_model.h"
#include "tokenizers/rqvae/rqvae_objective.h"
#include "tokenizers/rqvae/rqvae_options.h"
#include "tokenizers/rqvae/rqvae_state.h"

namespace genrec {

/// An epoch of training.
struct RqvaeEpoch {
  std::int64_t epoch = 0;  ///< epochs done
  std::int64_t steps = 0;  ///< of this epoch
  RqvaeLosses losses;
  double lr = 0;       ///< of its last step
  double seconds = 0;  ///< clustering of codes included; of a part, what the whole would take
};

/// What the codes of all items look like.
struct RqvaeMeasurement {
  std::int64_t epoch = 0;             ///< epochs done
  double collision_rate = 0;          ///< (items - distinct) / items, argmin at every level
  RqvaeLosses losses;                 ///< of the epoch before; zeros before the first
  std::vector<CodebookUse> use;       ///< a level each
  std::vector<double> residual_norm;  ///< a level each: root mean square of what it leaves, over that of z
};

/// What a training tells and asks. Every member may be empty.
struct RqvaeHooks {
  std::function<void(const RqvaeEpoch&)> on_epoch;
  std::function<void(const RqvaeMeasurement&)> on_measurement;
  std::function<bool()> stop;            ///< this rank's wish; the ranks agree every few steps
  std::function<bool()> checkpoint_due;  ///< rank 0's answer counts
  /// Keeps a state. Called on every rank.
  std::function<void(const RqvaeState&)> save;
};

/// All items' codes, equal on every rank; row i is item i.
struct EncodedItems {
  at::Tensor codes;           ///< [items, levels] int64, host
  at::Tensor last_residuals;  ///< [items, dim] float32, host: what the last level was given
};

/// Trains a RqvaeModel on embeddings, data-parallel: a rank holds the rows of its own items and computes
/// these of every global batch (item_lanes.h). Losses are sums over a rank's rows divided by the rows of the
/// global batch, so summed gradients are those of one rank but for the order of sums:
/// - Sinkhorn at the last level is over the global batch;
/// - the collaborative loss takes negatives from the global batch: they are frozen vectors, which every rank
///   has;
/// - k-means at the start and the clusters of codes are made on rank 0 and sent.
class RqvaeTrainer {
 public:
  /// `cf`: collaborative vectors; needed where letter.alpha > 0. `embeddings` and `cf` are read here only.
  /// The model, world and device_sums must outlive this. Weights are initialised (codebooks at the first
  /// run()). Options must have passed check_options.
  RqvaeTrainer(RqvaeModel& model, const Embeddings& embeddings, const Embeddings* cf,
               const RqvaeOptions& options, Communicator& world, DeviceReducer* device_sums = nullptr);

  /// Goes on from a state of the same options. Throws DataError when it is of other vectors or widths.
  void restore(const RqvaeState& state);
  /// With the weights that training would go on from, whichever ones the model has. Collective.
  [[nodiscard]] RqvaeState state() const;
  /// Trains until options.epochs are done, then takes the best weights (options.keep_best). False when it was
  /// stopped before, after a save. Throws DataError when a loss is no number. Collective.
  [[nodiscard]] bool run(const RqvaeHooks& hooks = {});

  /// Codes by the present weights; equal embeddings have equal codes. Collective.
  [[nodiscard]] EncodedItems encode_items() const;
  /// Collective.
  [[nodiscard]] RqvaeMeasurement measure() const;
  [[nodiscard]] const RqvaeScore& best_score() const { return best_score_; }
  /// Of each item the first one with the same embedding: [items] int64, host.
  [[nodiscard]] const at::Tensor& first_equal() const { return batches_.first_equal(); }
  /// Repairs of the start of the codebooks, and options that were cut down, a sentence each; on rank 0.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Encoding {
    at::Tensor codes, residuals, square_norms;
  };

  [[nodiscard]] std::int64_t items() const { return batches_.lanes().items(); }
  void start_codebooks_from_data();
  void note_limits();
  void begin_epoch();
  /// The rest of an epoch; nothing when it was stopped within it, after a save.
  [[nodiscard]] std::optional<RqvaeEpoch> train_epoch(const RqvaeHooks& hooks);
  /// Saves where that is due; whether a rank wishes to stop. Collective.
  [[nodiscard]] bool saves_and_stops(const RqvaeHooks& hooks, bool may_stop) const;
  /// Of the epoch in work; returns the rate.
  [[nodiscard]] double step(const RqvaeBatch& batch);
  /// Of the epoch in work so far. Collective.
  [[nodiscard]] RqvaeLosses mean_losses() const;
  [[nodiscard]] Encoding encode_all(bool with_residuals) const;
  /// Whether eval_every asks for a measurement after so many epochs, wherever training ends.
  [[nodiscard]] bool is_in_turn(std::int64_t epoch) const;
  void measure_and_keep(const RqvaeHooks& hooks);
  void check_finite(const RqvaeLosses& losses) const;

  RqvaeModel& model_;
  RqvaeOptions options_;
  Communicator& world_;
  RqvaeBatches batches_;
  std::string embeddings_sha256_, cf_sha256_;
  RqvaeObjective objective_;
  AdamW optimizer_;
  GradientReducer reducer_;
  std::int64_t epoch_ = 0, step_ = 0;  ///< epochs done, steps of the next one that are done
  bool started_ = false;               ///< codebooks hold data
  RqvaeLosses last_losses_;
  at::Tensor best_;  ///< flat values; undefined before the first measurement
  at::Tensor last_;  ///< flat values that training ended with, while the model has the best ones
  RqvaeScore best_score_;
  std::vector<std::string> notes_;
};

}  // namespace genrec
