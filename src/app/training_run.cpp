#include "app/training_run.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <limits>

#include "app/cf_state_file.h"
#include "app/resume_rules.h"
#include "app/tokenizer_file.h"
#include "base/error.h"
#include "base/log.h"
#include "io/sha256.h"
#include "tokenizers/registry.h"

namespace genrec {
namespace {

constexpr const char* kSimilarity = "semantic_identifier_similarity";
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();  ///< null in JSON

/// Null where there is no such file, or it is no JSON.
Json json_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  Json json = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json(nullptr);
}

/// The text at `place` ("/inputs/dataset/sha256"); "" where there is none.
std::string text_at(const Json& json, const std::string& place) {
  const Json::json_pointer pointer(place);
  const bool is_there = json.contains(pointer) && json.at(pointer).is_string();
  return is_there ? json.at(pointer).get<std::string>() : std::string();
}

}  // namespace

TrainingRun::TrainingRun(Session& session, const std::string& command, const Workspace& workspace,
                         const Runtime& runtime)
    : folder(run_directory(session, command, workspace.dataset()), session.mpi.world().is_root()),
      checkpoints(folder.checkpoints(), session.options.run.keep, session.mpi.world()),
      stop(time_limit(session.options.run)),
      progress(progress_mode(session.options.run.progress), session.mpi.rank()),
      session_(session),
      command_(command),
      workspace_(workspace),
      runtime_(runtime),
      world_(session.mpi.world()),
      checkpoint_clock_(session.options.run.checkpoint_minutes) {
  require_no_cf_state(folder.checkpoints() / kCfStateFile, world_);
  folder.create();
  world_.barrier();
  session.logging.open_file(folder.logs());
  load_state();
  if (resumed) folder.rewind_metrics(resumed->step, std::numeric_limits<std::int64_t>::max());
}

void TrainingRun::load_state() {
  const std::string& resume = session_.options.run.resume;
  const bool holds_run = checkpoints.holds_run();
  if (!holds_run && resume == "must" && !holds_tokenizer()) {
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
  if (!resumed->templates.empty() && resumed->templates != workspace_.templates()) {
    throw DataError(
        folder.checkpoints().string() + ": the checkpoint has other prompts than " +
        (session_.options.text.templates.empty() ? "those built in" : session_.options.text.templates) +
        ": give the text.templates of the start, or another run.dir");
  }
  LOG_ROOT(INFO) << "going on from " << (folder.checkpoints() / "last").string() << ": " << resumed->stage
                 << ", iteration " << resumed->iteration << ", step " << resumed->step;
}

/// A run that was stopped before its first checkpoint, when it made identifiers.
bool TrainingRun::holds_tokenizer() const {
  return world_.any(world_.is_root() && std::filesystem::exists(folder.checkpoints() / kTokenizerFile));
}

void TrainingRun::require_same_options(const CheckpointState& state) const {
  for (const auto& [key, then] : session_.parser.differences(state.config)) {
    if (may_change(key, state, session_.options) || is_moved_file(key)) continue;
    throw UsageError(key + " = " + session_.parser.text(key) + " (" + session_.parser.origin(key) +
                     "), but the run in " + folder.path().string() + " was made with " +
                     (then.empty() ? "none" : then) + ": give that value, or another run.dir");
  }
}

/// Whether `key` names a file of the bytes that the run's identifiers were made from: it may lie elsewhere
/// now. Collective.
bool TrainingRun::is_moved_file(const std::string& key) const {
  bool same = false;
  if (world_.is_root()) {
    for (const IdentifierInput& input : identifier_inputs(session_.options)) {
      if (input.key != key || !std::filesystem::is_regular_file(input.file)) continue;
      const Json then = json_of(folder.path() / "environment.json");
      same = text_at(then, "/inputs/" + input.name + "/sha256") == sha256_file(input.file);
    }
  }
  return world_.any(same);
}

IdentifierRun TrainingRun::identifier_run() {
  IdentifierRun run{.progress = progress,
                    .should_stop = [this] { return stop.requested(); },
                    .checkpoint_due = [this] { return checkpoint_due(); },
                    .state = folder.checkpoints() / kTokenizerFile};
  run.on_start = [this](std::int64_t epochs) { folder.rewind_metrics(-1, epochs == 0 ? -1 : epochs); };
  run.on_measurement = [this](const RqvaeEpoch& last, const RqvaeMeasurement& measured) {
    measure({0, static_cast<double>(measured.epoch), 0, "tokenizer", "", 0},  // before the first step
            tokenizer_metrics(measured, last.seconds));
  };
  return run;
}

void TrainingRun::describe() {
  folder.write_config(session_.parser.resolved_ini());
  folder.write_environment(describe_environment(session_, runtime_, workspace_));
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
    line.value = name == kSimilarity && !has_texts() ? kNothing : value;
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

/// Without them nothing is similar, nor is it 0.
bool TrainingRun::has_texts() const {
  return std::ranges::any_of(workspace_.texts(), [](const std::string& text) { return !text.empty(); });
}

void TrainingRun::finish(RunResults results, std::int64_t step, double epoch) {
  add_baselines(results);
  for (IterationRecord& record : results.iterations) {
    if (!has_texts()) record.semantic_identifier_similarity = kNothing;
  }
  const int selected = results.selected_iteration;
  measure({step, epoch, selected, "test", "", 0}, results.test);
  measure({step, epoch, selected, "test", "by_identifier_", 0}, results.test_by_identifier);
  for (const auto& [name, metrics] : results.baselines)
    measure({step, epoch, 0, "test", name + "_", 0}, metrics);
  for (const auto& [name, metrics] : results.valid_baselines)
    measure({step, epoch, 0, "valid", name + "_", 0}, metrics);
  Json summary = summary_json(results, session_, workspace_, runtime_);
  if (world_.is_root()) {
    if (is_rqvae(session_.options.tokenizer.method)) {
      const std::filesystem::path tokenizer = folder.checkpoints() / kTokenizerFile;
      const std::string report = read_tokenizer_report(tokenizer);
      if (!report.empty()) summary["tokenizer"] = parse_json(report, tokenizer);
    }
    folder.write_summary(summary);
    std::cout << results_table(results, session_.options.eval.k)
              << "\nsummary: " << (folder.path() / "summary.json").string() << std::endl;
  }
}

bool TrainingRun::has_summary() const {
  return world_.any(world_.is_root() &&
                    text_at(json_of(folder.path() / "summary.json"), "/command") == command_);
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
