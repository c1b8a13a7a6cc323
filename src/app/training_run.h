#pragma once
#include <optional>
#include <string>

#include "app/checkpoint_clock.h"
#include "app/first_identifiers.h"
#include "app/results.h"
#include "app/run_folder.h"
#include "app/session.h"
#include "app/workspace.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "training/checkpoint_folder.h"

namespace genrec {

/// What siit and train share around their loops: the run folder, the state to go on from, the wish to stop,
/// evaluation and the record of the results.
class TrainingRun {
 public:
  /// Makes the run folder and loads the state that run.resume asks for. Throws UsageError (never, but the
  /// folder holds a run; options that it has used differ from those of the checkpoint, where they are more
  /// than the new place of a file of identifiers or vectors), MissingInput (must,
  /// but there is none), DataError (another dataset, text model or prompts). Measurements behind the
  /// checkpoint are forgotten. Collective.
  TrainingRun(Session& session, const std::string& command, const Workspace& workspace,
              const Runtime& runtime);

  /// For identifiers that are made within this run.
  [[nodiscard]] IdentifierRun identifier_run();
  /// Writes config.ini and environment.json: once all that was given is known to fit together. Collective.
  void describe();
  /// By run.checkpoint-minutes; true once an interval.
  [[nodiscard]] bool checkpoint_due() { return checkpoint_clock_.due(); }
  /// Collective.
  [[nodiscard]] SplitMetrics evaluate(const T5Model& model, const TokenizedItems& items, Split split);
  /// A line of metrics.jsonl for each figure, prefixed "by_identifier_" for the second kind.
  void measure(const Measurement& place, const Metrics& metrics);
  /// Loss, learning rate and gradient norm of a step; `step` counts over the whole run.
  void measure(const StepReport& report, std::int64_t step, int iteration, const std::string& split);
  /// Measures baselines and test, writes summary.json, prints the table. Collective.
  void finish(RunResults results, std::int64_t step, double epoch);
  /// Says that the run had been finished before and shows its table; nothing is written.
  void show_finished(const RunResults& results);
  /// Whether the run folder already has the summary of this run, and not that of another command: the root's
  /// answer, others may not see the folder. Collective.
  [[nodiscard]] bool has_summary() const;

  RunFolder folder;
  CheckpointFolder checkpoints;
  std::optional<CheckpointState> resumed;
  StopSignal stop;
  Progress progress;

 private:
  void load_state();
  [[nodiscard]] bool holds_tokenizer() const;
  void require_same_options(const CheckpointState& state) const;
  [[nodiscard]] bool is_moved_file(const std::string& key) const;
  [[nodiscard]] bool has_texts() const;
  void add_baselines(RunResults& results);

  Session& session_;
  std::string command_;
  const Workspace& workspace_;
  const Runtime& runtime_;
  Communicator& world_;
  CheckpointClock checkpoint_clock_;
};

}  // namespace genrec
