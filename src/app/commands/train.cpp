// train: one recommender on fixed identifiers; the best validation is tested.
#include <cstdio>

#include "app/dry_run.h"
#include "app/training_run.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "base/stopwatch.h"
#include "model/huggingface.h"
#include "tokenizers/identifier_similarity.h"
#include "tokenizers/text_features.h"
#include "training/checkpoint_model.h"
#include "training/tasks.h"

namespace genrec {
namespace {

/// What the command must remember beside weights and position.
struct TrainState {
  double best_score = -1;
  std::int64_t best_epoch = 0;
  std::int64_t evaluations_without_gain = 0;
  std::int64_t validated_step = -1;  ///< of the last validation
  Metrics best_valid, test, test_by_identifier;
  double train_seconds = 0, evaluate_seconds = 0;
  std::int64_t trained_samples = 0, decoded_users = 0;
  bool done = false;

  [[nodiscard]] std::string dump() const {
    return Json{{"best_score", best_score},
                {"best_epoch", best_epoch},
                {"without_gain", evaluations_without_gain},
                {"validated_step", validated_step},
                {"best_valid", Json(best_valid)},
                {"test", Json(test)},
                {"test_by_identifier", Json(test_by_identifier)},
                {"train_seconds", train_seconds},
                {"evaluate_seconds", evaluate_seconds},
                {"trained_samples", trained_samples},
                {"decoded_users", decoded_users},
                {"done", done}}
        .dump();
  }
  static TrainState parse(const std::string& text) {
    TrainState state;
    try {
      const Json json = Json::parse(text);
      state.best_score = json.at("best_score").get<double>();
      state.best_epoch = json.at("best_epoch").get<std::int64_t>();
      state.evaluations_without_gain = json.at("without_gain").get<std::int64_t>();
      state.validated_step = json.at("validated_step").get<std::int64_t>();
      state.best_valid = json.at("best_valid").get<Metrics>();
      state.test = json.at("test").get<Metrics>();
      state.test_by_identifier = json.at("test_by_identifier").get<Metrics>();
      state.train_seconds = json.at("train_seconds").get<double>();
      state.evaluate_seconds = json.at("evaluate_seconds").get<double>();
      state.trained_samples = json.at("trained_samples").get<std::int64_t>();
      state.decoded_users = json.at("decoded_users").get<std::int64_t>();
      state.done = json.at("done").get<bool>();
    } catch (const nlohmann::json::exception&) {
      throw DataError("the run folder's checkpoint is not one of the train command: give another run.dir");
    }
    return state;
  }
};

/// The command's own loop around a Trainer: validation, the best weights, patience.
class TrainLoop {
 public:
  TrainLoop(TrainingRun& run, const ProgramOptions& options, const Workspace& workspace, Communicator& world,
            T5Model& model, const Vocabulary& vocabulary, const IdentifierTable& table,
            const TokenizedItems& items, Trainer& trainer, TrainState& state)
      : run_(run),
        o_(options),
        workspace_(workspace),
        world_(world),
        model_(model),
        vocabulary_(vocabulary),
        table_(table),
        items_(items),
        trainer_(trainer),
        state_(state) {}

  /// Throws StoppedEarly after a checkpoint when a rank wants to stop.
  void train() {
    TrainHooks hooks;
    hooks.should_stop = [&] { return run_.stop.requested(); };
    hooks.checkpoint_due = [&] { return run_.checkpoint_due(); };
    hooks.save = [&] { save(); };
    hooks.on_step = [&](const StepReport& report) { show(report); };
    hooks.on_epoch = [&](std::int64_t epochs_done) { return after_epoch(epochs_done); };
    show_progress();
    watch_.lap();
    began_ = trainer_.position();
    renew_best_link();
    const TrainEnd end = trainer_.train(hooks);
    run_.progress.finish();
    if (end == TrainEnd::kStopped) {
      throw StoppedEarly("stopped (" + std::string(run_.stop.reason()) + ") at step " +
                         std::to_string(trainer_.position().stage_step) +
                         " with a checkpoint: the same command goes on");
    }
    // max-steps may end the training within an epoch.
    const TrainPosition at = trainer_.position();
    if (state_.validated_step != at.stage_step) validate(epochs_of(at));
  }

  /// Of the best weights; the last checkpoint says that the run is done.
  void test() {
    load_weights(model_, run_.checkpoints.load("best", CheckpointParts::kModel).model, "checkpoints/best",
                 o_.run.seed);
    const SplitMetrics test = evaluate(Split::kTest);
    state_.test = test.by_item;
    state_.test_by_identifier = test.by_identifier;
    state_.done = true;
    save();
  }

 private:
  /// Epochs begun, the present one included.
  [[nodiscard]] static std::int64_t epochs_of(const TrainPosition& at) {
    return at.step == 0 ? at.epoch : at.epoch + 1;
  }

  /// A kill may have come between the checkpoint of a best validation and its link.
  void renew_best_link() {
    const bool just_validated = state_.validated_step == began_.stage_step;
    if (just_validated && state_.best_epoch == epochs_of(began_)) run_.checkpoints.mark_best();
  }

  void account() {
    state_.train_seconds += watch_.lap();
    const std::int64_t samples = trainer_.throughput().samples;
    state_.trained_samples += samples - std::exchange(counted_, samples);
  }

  [[nodiscard]] CheckpointState snapshot() const {
    CheckpointState s = workspace_.identity();
    s.stage = state_.done ? "done" : "train";
    s.step = trainer_.position().stage_step;
    s.position = trainer_.position();
    s.loop = state_.dump();
    if (!world_.is_root()) return s;  // the root writes; the others' weights are the same
    s.model_config = model_.config().to_json();
    s.model = weights_to_host(model_);
    if (!state_.done) s.optimizer = trainer_.optimizer_state();
    s.vocabulary = vocabulary_.symbols();
    s.identifiers = table_;
    s.history = {table_};
    return s;
  }

  void save() {
    if (!state_.done) account();
    run_.checkpoints.save(snapshot());
  }

  SplitMetrics evaluate(Split split) {
    if (!state_.done) account();
    const SplitMetrics evaluation = run_.evaluate(model_, items_, split);
    state_.decoded_users += evaluation.users;
    state_.evaluate_seconds += evaluation.seconds;
    watch_.lap();
    return evaluation;
  }

  void show_progress() {
    run_.progress.start("train", trainer_.total_steps(), "steps", trainer_.position().stage_step);
  }

  void show(const StepReport& report) {
    char text[64];
    std::snprintf(text, sizeof(text), "loss %.4f  %.0f samples/s", report.loss, report.samples_per_s);
    run_.progress.update(report.position.stage_step, text);
    run_.measure(report, report.position.stage_step, 0, "train");
  }

  bool after_epoch(std::int64_t epochs_done) {
    // Gone on from the checkpoint of this very validation.
    if (trainer_.position().stage_step == state_.validated_step) return goes_on();
    const bool last = epochs_done == o_.train.epochs;
    if (!last && (o_.train.eval_every == 0 || epochs_done % o_.train.eval_every != 0)) return true;
    validate(epochs_done);
    show_progress();
    return goes_on();
  }

  [[nodiscard]] bool goes_on() const {
    return o_.train.patience == 0 || state_.evaluations_without_gain < o_.train.patience;
  }

  void validate(std::int64_t epochs_done) {
    // Validation takes long, too: what was trained is safe before it, and a stop finds a checkpoint.
    if (trainer_.position() != began_ || !run_.checkpoints.holds_run()) save();
    const SplitMetrics valid = evaluate(Split::kValid);
    const double score = selection_score(valid.by_item);
    const bool best = score > state_.best_score;
    state_.evaluations_without_gain = best ? 0 : state_.evaluations_without_gain + 1;
    state_.validated_step = trainer_.position().stage_step;
    if (best) {
      state_.best_score = score;
      state_.best_epoch = epochs_done;
      state_.best_valid = valid.by_item;
    }
    run_.measure({state_.validated_step, static_cast<double>(epochs_done), 0, "valid", "", 0}, valid.by_item);
    LOG_ROOT(INFO) << "epoch " << epochs_done << ", validation: " << to_text(valid.by_item)
                   << (best ? "; the best so far" : "");
    save();
    if (best) run_.checkpoints.mark_best();
  }

  TrainingRun& run_;
  const ProgramOptions& o_;
  const Workspace& workspace_;
  Communicator& world_;
  T5Model& model_;
  const Vocabulary& vocabulary_;
  const IdentifierTable& table_;
  const TokenizedItems& items_;
  Trainer& trainer_;
  TrainState& state_;
  Stopwatch watch_;
  TrainPosition began_;
  std::int64_t counted_ = 0;
};

RunResults results_of(const TrainState& state, const IdentifierTable& table, const Workspace& workspace) {
  IterationRecord record;
  record.collision_rate = record.collision_rate_final = table.collision_rate();
  record.identifiers_sha256 = table.sha256();
  record.semantic_identifier_similarity = semantic_identifier_similarity(table, tfidf(workspace.texts()));
  record.valid = state.best_valid;
  record.seconds.train = state.train_seconds;
  record.seconds.evaluate = state.evaluate_seconds;
  return {.command = "train",
          .selected = "epoch " + std::to_string(state.best_epoch),
          .selected_iteration = 0,
          .identifiers_sha256 = record.identifiers_sha256,
          .iterations = {record},
          .test = state.test,
          .test_by_identifier = state.test_by_identifier,
          .baselines = {},
          .valid_baselines = {},
          .train_samples_per_s = per_second(static_cast<double>(state.trained_samples), state.train_seconds),
          .decode_users_per_s = per_second(static_cast<double>(state.decoded_users), state.evaluate_seconds),
          .regenerate_items_per_s = 0};
}

}  // namespace

ExitCode run_train(Session& session) {
  Communicator& world = session.mpi.world();
  const ProgramOptions& o = session.options;
  Runtime runtime = choose_runtime(o.run, session.mpi);
  Workspace workspace(session, nullptr, "train");
  if (o.run.dry_run) return dry_run(session, workspace, runtime);

  TrainingRun run(session, "train", workspace, runtime);
  const std::optional<CheckpointState>& resumed = run.resumed;
  FirstIdentifiers first;
  if (resumed) {
    first.table = resumed->identifiers;
    first.codebooks = resumed->codebooks;
  } else {
    first = make_first_identifiers(session, workspace, runtime, run.identifier_run());
  }
  const IdentifierTable& table = first.table;
  workspace.keep_codebooks(std::move(first.codebooks));
  const Vocabulary vocabulary = resumed ? Vocabulary::restore(resumed->text_pieces, resumed->vocabulary)
                                        : Vocabulary(workspace.text_pieces(), table.symbols());
  const TokenizedItems items(table, vocabulary);
  auto model = resumed ? model_from_checkpoint(*resumed, runtime.device, runtime.precision)
                       : workspace.make_model(runtime, vocabulary);
  TrainState state = resumed ? TrainState::parse(resumed->loop) : TrainState{};
  if (state.done && run.has_summary()) {
    run.show_finished(results_of(state, table, workspace));
    return ExitCode::kDone;
  }
  run.describe();
  if (world.is_root()) write_index_json(run.folder.identifiers(0), table);

  TrainingOrder order = workspace.training_order(o.train.batch);
  const RecommendationTask task(workspace.dataset().interactions, items, workspace.prompts(), o.data.history,
                                o.run.seed);
  RecommendationSource source(order, task);
  Trainer trainer(*model, source, o.train,
                  {"train", o.train.epochs, stream_key(o.run.seed, Purpose::kDropout, {0})}, world,
                  runtime.reducer.get());
  if (resumed && resumed->optimizer) trainer.restore(resumed->position, *resumed->optimizer);
  run.resumed.reset();  // three times the weights' memory

  TrainLoop loop(run, o, workspace, world, *model, vocabulary, table, items, trainer, state);
  if (!state.done) {
    loop.train();
    loop.test();
  }
  run.finish(results_of(state, table, workspace), state.validated_step,
             static_cast<double>(state.best_epoch));
  return ExitCode::kDone;
}

}  // namespace genrec
