#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "comm/communicator.h"
#include "comm/device_reducer.h"
#include "data/virtual_shards.h"
#include "decoding/generator.h"
#include "model/t5_model.h"
#include "siit/assigner.h"
#include "siit/siit_options.h"
#include "siit/siit_state.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/vocabulary.h"
#include "training/checkpoint_folder.h"
#include "training/prompts.h"
#include "training/tasks.h"
#include "training/trainer.h"

namespace genrec {

/// What the loop works with; everything referred to outlives it. The callables are what lies above this
/// layer.
struct SiitContext {
  const Interactions& interactions;
  TrainingOrder& order;
  const Prompts& prompts;
  const TitlePieces* titles;  ///< null without text: there is no iteration then
  std::int32_t history;
  Communicator& world;
  DeviceReducer* device_sums;
  CheckpointFolder& checkpoints;
  Progress& progress;
  SiitOptions siit;
  TrainOptions train;
  ScoreRule score;
  std::int32_t block;  ///< items decoded together
  int threads;
  std::uint64_t seed;
  CheckpointState identity;  ///< dataset, fingerprint, git, config, seed, spiece, templates, text_pieces: the
                             ///< same in every checkpoint

  /// Collective; validation in between, test at the end.
  std::function<SplitMetrics(const T5Model&, const TokenizedItems&, Split)> evaluate = {};
  std::function<double(const IdentifierTable&)> similarity = {};
  std::function<bool()> should_stop = {};
  std::function<bool()> checkpoint_due = {};
  /// Each training step, on every rank.
  std::function<void(const StepReport&, std::int64_t global_step, int iteration, const std::string& stage)>
      on_step = {};
  /// Each finished iteration (0 is the warm-up), on every rank; `best`: so far. Epochs are those of
  /// recommendation.
  std::function<void(const IterationRecord&, std::int64_t global_step, std::int64_t epochs, bool best)>
      on_iteration = {};
  /// Each new table, iteration 0 included, on every rank.
  std::function<void(int iteration, const IdentifierTable&)> on_table = {};
};

/// SIIT (Algorithm 1; method 5.1): warm-up, then R times {alignment, regeneration, assignment, fine-tuning},
/// then the test of the iteration that validated best. State is saved after each stage; a stage that was
/// interrupted goes on at its step, a regeneration at its round of items.
class SiitLoop {
 public:
  /// A fresh start from these weights and identifiers.
  SiitLoop(SiitContext context, std::unique_ptr<T5Model> recommender, Vocabulary vocabulary,
           IdentifierTable initial);
  /// Goes on from a checkpoint; `recommender` already has its weights (T5 of state.model_config).
  SiitLoop(SiitContext context, std::unique_ptr<T5Model> recommender, CheckpointState state);
  ~SiitLoop();

  /// Runs to the end, or to the stage that siit.stop-before names. Throws StoppedEarly after a checkpoint
  /// when a rank wants to stop.
  const SiitState& run();
  /// The table of the selected iteration.
  [[nodiscard]] const IdentifierTable& selected_table() const;
  [[nodiscard]] const SiitState& state() const { return state_; }
  /// Optimiser steps of the whole run so far, stages in work left out.
  [[nodiscard]] std::int64_t steps() const { return global_step_; }
  /// Epochs of recommendation up to the present iteration, this one's included.
  [[nodiscard]] std::int64_t epochs_done() const;

 private:
  void train_recommender(const std::string& stage, std::int64_t epochs, std::int64_t first_epoch);
  void align();
  void regenerate();
  /// The next identifiers' candidates for assigner_, in rounds; throws StoppedEarly.
  void collect_candidates(const AlignmentTask& task);
  void validate();
  void test();
  [[nodiscard]] SplitMetrics evaluate(Split split);
  [[nodiscard]] bool stop_agreed();
  /// A kill may have come between the checkpoint of a best validation and its link.
  void renew_best_link();
  /// Trains one stage, with checkpoints in between; throws StoppedEarly.
  void train_stage(const std::string& name, std::int64_t epochs, std::uint64_t stage_id, T5Model& model,
                   BatchSource& source, double StageSeconds::*spent);
  void set_table(IdentifierTable table);
  void advance(SiitStage stage, int iteration);
  [[nodiscard]] CheckpointState snapshot(const Trainer* trainer) const;
  [[nodiscard]] IterationRecord& record();
  [[nodiscard]] const IdentifierTable& table() const { return tables_.back(); }

  SiitContext context_;
  std::unique_ptr<T5Model> recommender_, aligned_;
  Vocabulary vocabulary_;
  std::vector<IdentifierTable> tables_;
  std::unique_ptr<TokenizedItems> items_;
  SiitState state_;
  std::int64_t global_step_ = 0;  ///< optimiser steps of finished stages
  TrainPosition resume_position_;
  std::optional<OptimizerState> resume_optimizer_;
  std::int64_t regenerated_ = 0;                  ///< items that a regeneration in work has candidates of
  WeightMap resume_candidates_;                   ///< of these, on the root
  std::unique_ptr<IdentifierAssigner> assigner_;  ///< of a regeneration in work, on the root
};

}  // namespace genrec
