// train: one recommender on fixed identifiers; the best validation is tested.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

#include "app/dry_run.h"
#include "app/results.h"
#include "app/resume.h"
#include "app/run_folder.h"
#include "app/session.h"
#include "app/workspace.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "base/stop_signal.h"
#include "model/huggingface.h"
#include "tokenizers/identifier_similarity.h"
#include "tokenizers/text_features.h"
#include "training/checkpoint_model.h"
#include "training/tasks.h"

namespace genrec {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What the command must remember beside weights and position.
struct TrainState {
  double best_score = -1;
  std::int64_t best_epoch = 0;
  std::int64_t evaluations_without_gain = 0;
  Metrics best_valid;
  double train_seconds = 0, evaluate_seconds = 0;

  [[nodiscard]] std::string dump() const {
    return Json{{"best_score", best_score},
                {"best_epoch", best_epoch},
                {"without_gain", evaluations_without_gain},
                {"best_valid", Json(best_valid)},
                {"train_seconds", train_seconds},
                {"evaluate_seconds", evaluate_seconds}}
        .dump();
  }
  static TrainState parse(const std::string& text) {
    TrainState state;
    try {
      const Json json = Json::parse(text);
      state.best_score = json.at("best_score").get<double>();
      state.best_epoch = json.at("best_epoch").get<std::int64_t>();
      state.evaluations_without_gain = json.at("without_gain").get<std::int64_t>();
      state.best_valid = json.at("best_valid").get<Metrics>();
      state.train_seconds = json.at("train_seconds").get<double>();
      state.evaluate_seconds = json.at("evaluate_seconds").get<double>();
    } catch (const nlohmann::json::exception&) {
      throw DataError("the run folder's checkpoint is not one of the train command: give another run.dir");
    }
    return state;
  }
};

}  // namespace

ExitCode run_train(Session& session) {
  Communicator& world = session.mpi.world();
  const ProgramOptions& o = session.options;
  Runtime runtime = choose_runtime(o.run, session.mpi);
  Workspace workspace(session);
  if (o.run.dry_run) return dry_run(session, workspace, runtime);

  RunFolder folder(run_directory(session, "train", workspace.dataset()), world.is_root());
  folder.create();
  world.barrier();
  session.logging.open_file(folder.logs());
  CheckpointFolder checkpoints(folder.checkpoints(), o.run.keep, world);
  std::optional<CheckpointState> resumed = find_resume_state(session, workspace, checkpoints, folder);

  IdentifierTable table = resumed ? resumed->identifiers : workspace.make_identifiers();
  Vocabulary vocabulary = resumed ? Vocabulary::restore(resumed->text_pieces, resumed->vocabulary)
                                  : Vocabulary(workspace.text_pieces(), table.symbols());
  const TokenizedItems items(table, vocabulary);
  auto model = resumed ? model_from_checkpoint(*resumed, runtime.device, runtime.precision)
                       : workspace.make_model(runtime, vocabulary);
  TrainState state = resumed ? TrainState::parse(resumed->loop) : TrainState{};
  folder.write_config(session.parser.resolved_ini());
  folder.write_environment(describe_environment(runtime, session.mpi, workspace.dataset()));
  if (world.is_root()) write_index_json(folder.identifiers(0), table);

  TrainingOrder order = workspace.training_order(o.train.batch);
  const RecommendationTask task(workspace.dataset().interactions, items, workspace.prompts(), o.data.history,
                                o.run.seed);
  RecommendationSource source(order, task);
  Trainer trainer(*model, source, o.train,
                  {"train", o.train.epochs, stream_key(o.run.seed, Purpose::kDropout, {0})}, world,
                  runtime.reducer.get());
  if (resumed && resumed->optimizer) trainer.restore(resumed->position, *resumed->optimizer);

  std::optional<std::chrono::duration<double>> limit;
  if (o.run.max_minutes > 0) limit = std::chrono::duration<double>(60 * o.run.max_minutes);
  StopSignal stop(limit);
  Progress progress(progress_mode(o.run.progress), session.mpi.rank());
  double decode_users_per_s = 0;
  Clock::time_point lap = Clock::now(), saved = lap;

  const auto snapshot = [&] {
    CheckpointState s = workspace.identity();
    s.stage = "train";
    s.step = trainer.position().stage_step;
    s.position = trainer.position();
    state.train_seconds += seconds_since(lap);
    lap = Clock::now();
    s.loop = state.dump();
    if (!world.is_root()) return s;
    s.model_config = model->config().to_json();
    s.model = weights_to_host(*model);
    s.optimizer = trainer.optimizer_state();
    s.vocabulary = vocabulary.symbols();
    s.identifiers = table;
    s.history = {table};
    return s;
  };
  const auto evaluate = [&](Split split) {
    const EvaluationReport report =
        evaluate_split(session, workspace, runtime, progress, *model, items, split);
    decode_users_per_s = static_cast<double>(report.users) / std::max(1e-9, report.seconds);
    return SplitMetrics{report.by_item, report.by_identifier};
  };

  TrainHooks hooks;
  hooks.should_stop = [&] { return stop.requested(); };
  hooks.checkpoint_due = [&] {
    if (o.run.checkpoint_minutes <= 0 || seconds_since(saved) < 60 * o.run.checkpoint_minutes) return false;
    saved = Clock::now();
    return true;
  };
  hooks.save = [&] { checkpoints.save(snapshot()); };
  hooks.on_step = [&](const StepReport& report) {
    char text[64];
    std::snprintf(text, sizeof(text), "loss %.4f  %.0f samples/s", report.loss, report.samples_per_s);
    progress.update(report.position.stage_step, text);
    folder.measure({report.position.stage_step, static_cast<double>(report.position.epoch), 0, "train",
                    "loss", report.loss});
  };
  hooks.on_epoch = [&](std::int64_t epochs_done) {
    const bool last = epochs_done == o.train.epochs;
    if (!last && (o.train.eval_every == 0 || epochs_done % o.train.eval_every != 0)) return true;
    state.train_seconds += seconds_since(lap);
    const Clock::time_point began = Clock::now();
    const SplitMetrics valid = evaluate(Split::kValid);
    state.evaluate_seconds += seconds_since(began);
    lap = Clock::now();
    for (const auto& [name, value] : valid.by_item) {
      folder.measure(
          {trainer.position().stage_step, static_cast<double>(epochs_done), 0, "valid", name, value});
    }
    const double score = selection_score(valid.by_item);
    const bool best = score > state.best_score;
    state.evaluations_without_gain = best ? 0 : state.evaluations_without_gain + 1;
    if (best) {
      state.best_score = score;
      state.best_epoch = epochs_done;
      state.best_valid = valid.by_item;
    }
    checkpoints.save(snapshot());
    if (best) checkpoints.mark_best();
    progress.start("train", trainer.total_steps(), "steps", trainer.position().stage_step);
    return o.train.patience == 0 || state.evaluations_without_gain < o.train.patience;
  };

  progress.start("train", trainer.total_steps(), "steps", trainer.position().stage_step);
  const TrainEnd end = trainer.train(hooks);
  progress.finish();
  if (end == TrainEnd::kStopped) {
    throw StoppedEarly("stopped (" + std::string(stop.reason()) + ") at step " +
                       std::to_string(trainer.position().stage_step) +
                       " with a checkpoint: the same command goes on");
  }
  if (state.best_epoch > 0) {
    load_weights(*model, checkpoints.load("best", CheckpointParts::kModel).model, "checkpoints/best",
                 o.run.seed);
  }
  const SplitMetrics test = evaluate(Split::kTest);

  IterationRecord record;
  record.collision_rate = record.collision_rate_final = table.collision_rate();
  record.identifiers_sha256 = table.sha256();
  record.semantic_identifier_similarity = semantic_identifier_similarity(table, tfidf(workspace.texts()));
  record.valid = state.best_valid;
  record.seconds.train = state.train_seconds;
  record.seconds.evaluate = state.evaluate_seconds;
  RunResults results{.command = "train",
                     .selected_iteration = 0,
                     .identifiers_sha256 = record.identifiers_sha256,
                     .iterations = {record},
                     .test = test.by_item,
                     .test_by_identifier = test.by_identifier,
                     .baselines = {},
                     .train_samples_per_s = trainer.throughput().seconds > 0
                                                ? static_cast<double>(trainer.throughput().samples) /
                                                      trainer.throughput().seconds
                                                : 0,
                     .decode_users_per_s = decode_users_per_s,
                     .regenerate_items_per_s = 0};
  if (o.eval.baselines == "popularity")
    results.baselines["popularity"] = evaluate_popularity(session, workspace, Split::kTest);
  folder.write_summary(summary_json(results, session, workspace, runtime));
  if (world.is_root()) {
    std::cout << results_table(results, o.eval.k) << "\nbest epoch " << state.best_epoch
              << "; summary: " << (folder.path() / "summary.json").string() << std::endl;
  }
  return ExitCode::kDone;
}

}  // namespace genrec
