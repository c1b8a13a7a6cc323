// siit: the whole job, start to test.
#include <algorithm>
#include <chrono>
#include <iostream>

#include "app/dry_run.h"
#include "app/results.h"
#include "app/resume.h"
#include "app/run_folder.h"
#include "app/session.h"
#include "app/workspace.h"
#include "base/error.h"
#include "base/log.h"
#include "base/stop_signal.h"
#include "siit/siit_loop.h"
#include "tokenizers/identifier_similarity.h"
#include "tokenizers/text_features.h"
#include "training/checkpoint_model.h"

namespace genrec {
namespace {

using Clock = std::chrono::steady_clock;

void warn_of_weak_start(const Session& session) {
  const auto& o = session.options;
  if (o.siit.iterations == 0) LOG_ROOT(WARNING) << "siit.iterations = 0: a warm-up without self-improvement";
}

void record_iteration(RunFolder& folder, const IterationRecord& record, std::int64_t step) {
  const auto put = [&](const std::string& split, const std::string& name, double value) {
    folder.measure({step, 0, record.iteration, split, name, value});
  };
  for (const auto& [name, value] : record.valid) put("valid", name, value);
  put("identifiers", "collision_rate", record.collision_rate);
  put("identifiers", "collision_rate_final", record.collision_rate_final);
  put("identifiers", "overflow_rate", record.overflow_rate);
  put("identifiers", "adjustment_ratio", record.adjustment_ratio);
  put("identifiers", "semantic_identifier_similarity", record.semantic_identifier_similarity);
}

}  // namespace

ExitCode run_siit(Session& session) {
  warn_of_weak_start(session);
  Communicator& world = session.mpi.world();
  const ProgramOptions& o = session.options;
  Runtime runtime = choose_runtime(o.run, session.mpi);
  Workspace workspace(session);
  if (o.run.dry_run) return dry_run(session, workspace, runtime);

  RunFolder folder(run_directory(session, "siit", workspace.dataset()), world.is_root());
  folder.create();
  world.barrier();
  session.logging.open_file(folder.logs());
  CheckpointFolder checkpoints(folder.checkpoints(), o.run.keep, world);
  std::optional<CheckpointState> resumed = find_resume_state(session, workspace, checkpoints, folder);

  std::optional<std::chrono::duration<double>> limit;
  if (o.run.max_minutes > 0) limit = std::chrono::duration<double>(60 * o.run.max_minutes);
  StopSignal stop(limit);
  Progress progress(progress_mode(o.run.progress), session.mpi.rank());
  TrainingOrder order = workspace.training_order(o.train.batch);
  const SparseFeatures features = tfidf(workspace.texts());
  Clock::time_point saved = Clock::now();
  double decode_users_per_s = 0;

  SiitContext context{.interactions = workspace.dataset().interactions,
                      .order = order,
                      .prompts = workspace.prompts(),
                      .titles = workspace.titles(),
                      .history = o.data.history,
                      .world = world,
                      .device_sums = runtime.reducer.get(),
                      .checkpoints = checkpoints,
                      .progress = progress,
                      .siit = o.siit,
                      .train = o.train,
                      .score = score_rule(o.decode),
                      .block = o.decode.batch,
                      .threads = runtime.threads,
                      .seed = o.run.seed,
                      .identity = workspace.identity()};
  context.evaluate = [&](const T5Model& model, const TokenizedItems& items, Split split) {
    const EvaluationReport report =
        evaluate_split(session, workspace, runtime, progress, model, items, split);
    decode_users_per_s = static_cast<double>(report.users) / std::max(1e-9, report.seconds);
    return SplitMetrics{report.by_item, report.by_identifier};
  };
  context.similarity = [&](const IdentifierTable& table) {
    return semantic_identifier_similarity(table, features);
  };
  context.should_stop = [&] { return stop.requested(); };
  context.checkpoint_due = [&] {
    if (o.run.checkpoint_minutes <= 0 ||
        Clock::now() - saved < std::chrono::duration<double>(60 * o.run.checkpoint_minutes))
      return false;
    saved = Clock::now();
    return true;
  };
  context.on_step = [&](const StepReport& report, std::int64_t step, int iteration,
                        const std::string& stage) {
    folder.measure({step, static_cast<double>(report.position.epoch), iteration, stage, "loss", report.loss});
  };
  context.on_iteration = [&](const IterationRecord& record, std::int64_t step) {
    record_iteration(folder, record, step);
  };
  context.on_table = [&](int iteration, const IdentifierTable& table) {
    if (world.is_root()) write_index_json(folder.identifiers(iteration), table);
  };

  std::unique_ptr<SiitLoop> loop;
  if (resumed) {
    auto model = model_from_checkpoint(*resumed, runtime.device, runtime.precision);
    loop = std::make_unique<SiitLoop>(std::move(context), std::move(model), std::move(*resumed));
  } else {
    IdentifierTable initial = workspace.make_identifiers();
    Vocabulary vocabulary(workspace.text_pieces(), initial.symbols());
    auto model = workspace.make_model(runtime, vocabulary);
    loop = std::make_unique<SiitLoop>(std::move(context), std::move(model), std::move(vocabulary),
                                      std::move(initial));
  }
  folder.write_config(session.parser.resolved_ini());
  folder.write_environment(describe_environment(runtime, session.mpi, workspace.dataset()));

  const SiitState& state = loop->run();
  RunResults results{.command = "siit",
                     .selected_iteration = state.best_iteration,
                     .identifiers_sha256 = loop->selected_table().sha256(),
                     .iterations = state.records,
                     .test = state.test,
                     .test_by_identifier = state.test_by_identifier,
                     .baselines = {},
                     .train_samples_per_s = loop->throughput().train_samples_per_s,
                     .decode_users_per_s = decode_users_per_s,
                     .regenerate_items_per_s = loop->throughput().regenerate_items_per_s};
  if (o.eval.baselines == "popularity")
    results.baselines["popularity"] = evaluate_popularity(session, workspace, Split::kTest);
  folder.write_summary(summary_json(results, session, workspace, runtime));
  if (world.is_root()) {
    std::cout << results_table(results, o.eval.k)
              << "\nsummary: " << (folder.path() / "summary.json").string() << std::endl;
  }
  return ExitCode::kDone;
}

}  // namespace genrec
