#include "app/training_run.h"

#include <iostream>

#include "app/resume_rules.h"
#include "base/error.h"
#include "base/log.h"

namespace genrec {
namespace {

std::optional<std::chrono::duration<double>> time_limit(const RunOptions& options) {
  if (options.max_minutes <= 0) return std::nullopt;
  return std::chrono::duration<double>(60 * options.max_minutes);
}

}  // namespace

TrainingRun::TrainingRun(Session& session, const std::string& command, const Workspace& workspace,
                         const Runtime& runtime)
    : folder(run_directory(session, command, workspace.dataset()), session.mpi.world().is_root()),
      checkpoints(folder.checkpoints(), session.options.run.keep, session.mpi.world()),
      stop(time_limit(session.options.run)),
      progress(progress_mode(session.options.run.progress), session.mpi.rank()),
      session_(session),
      workspace_(workspace),
      runtime_(runtime),
      world_(session.mpi.world()) {
  folder.create();
  world_.barrier();
  session.logging.open_file(folder.logs());
  load_state();
  folder.rewind_metrics(resumed ? resumed->step : -1);
}

void TrainingRun::load_state() {
  const std::string& resume = session_.options.run.resume;
  const bool holds_run = checkpoints.holds_run();
  if (!holds_run && resume == "must") {
    throw MissingInput("run.resume = must, but " + folder.checkpoints().string() +
                       " holds no checkpoint: give the run.dir of an earlier run, or run.resume = auto");
  }
  if (holds_run && resume == "never") {
    throw UsageError("run.resume = never, but " + folder.path().string() +
                     " already holds a run: give another run.dir, or remove that folder");
  }
  if (!holds_run) return;
  const Dataset& dataset = workspace_.dataset();
  resumed = checkpoints.load_last(dataset.fingerprint, dataset.name);
  require_same_options(*resumed);
  if (resumed->spiece != workspace_.spiece_bytes()) {
    throw DataError(folder.checkpoints().string() +
                    ": the checkpoint has another SentencePiece model than this run: give the same "
                    "text.spiece and data.text, or another run.dir");
  }
  LOG_ROOT(INFO) << "going on from " << (folder.checkpoints() / "last").string() << ": " << resumed->stage
                 << ", iteration " << resumed->iteration << ", step " << resumed->step;
}

void TrainingRun::require_same_options(const CheckpointState& state) const {
  for (const auto& [key, then] : session_.parser.differences(state.config)) {
    if (may_change(key, state, session_.options)) continue;
    throw UsageError(key + " = " + session_.parser.text(key) + " (" + session_.parser.origin(key) +
                     "), but the run in " + folder.path().string() + " was made with " +
                     (then.empty() ? "none" : then) + ": give that value, or another run.dir");
  }
}

void TrainingRun::describe() {
  folder.write_config(session_.parser.resolved_ini());
  folder.write_environment(describe_environment(session_, runtime_, workspace_));
}

bool TrainingRun::checkpoint_due() {
  const double minutes = session_.options.run.checkpoint_minutes;
  if (minutes <= 0 || Clock::now() - saved_ < std::chrono::duration<double>(60 * minutes)) return false;
  saved_ = Clock::now();
  return true;
}

SplitMetrics TrainingRun::evaluate(const T5Model& model, const TokenizedItems& items, Split split) {
  const EvaluationReport report = evaluate_split(session_, workspace_, runtime_, progress, model, items,
                                                 split, [this] { return stop.requested(); });
  return {report.by_item, report.by_identifier, report.users, report.seconds};
}

void TrainingRun::measure(const Measurement& place, const Metrics& metrics) {
  Measurement line = place;
  for (const auto& [name, value] : metrics) {
    line.name = place.name + name;
    line.value = value;
    folder.measure(line);
  }
}

void TrainingRun::measure(const StepReport& report, std::int64_t step, int iteration,
                          const std::string& split) {
  const auto epoch = static_cast<double>(report.position.epoch);
  folder.measure({step, epoch, iteration, split, "loss", report.loss});
  folder.measure({step, epoch, iteration, split, "lr", report.lr});
  folder.measure({step, epoch, iteration, split, "gradient_norm", report.gradient_norm});
}

void TrainingRun::add_baselines(RunResults& results) {
  if (session_.options.eval.baselines != "popularity") return;
  results.baselines["popularity"] = evaluate_popularity(session_, workspace_, Split::kTest);
  results.valid_baselines["popularity"] = evaluate_popularity(session_, workspace_, Split::kValid);
}

void TrainingRun::finish(RunResults results, std::int64_t step, double epoch) {
  add_baselines(results);
  const int selected = results.selected_iteration;
  measure({step, epoch, selected, "test", "", 0}, results.test);
  measure({step, epoch, selected, "test", "by_identifier_", 0}, results.test_by_identifier);
  for (const auto& [name, metrics] : results.baselines)
    measure({step, epoch, 0, "test", name + "_", 0}, metrics);
  for (const auto& [name, metrics] : results.valid_baselines)
    measure({step, epoch, 0, "valid", name + "_", 0}, metrics);
  folder.write_summary(summary_json(results, session_, workspace_, runtime_));
  if (world_.is_root()) {
    std::cout << results_table(results, session_.options.eval.k)
              << "\nsummary: " << (folder.path() / "summary.json").string() << std::endl;
  }
}

bool TrainingRun::has_summary() const {
  return world_.any(world_.is_root() && std::filesystem::exists(folder.path() / "summary.json"));
}

void TrainingRun::show_finished(const RunResults& finished) {
  RunResults results = finished;
  add_baselines(results);
  if (!world_.is_root()) return;
  std::cout << results_table(results, session_.options.eval.k) << "\n"
            << folder.path().string()
            << " holds this run, finished before: give another --run.dir for a new one" << std::endl;
}

}  // namespace genrec
