// siit: the whole job, start to test.
#include <cstdio>
#include <iostream>

#include "app/dry_run.h"
#include "app/training_run.h"
#include "base/error.h"
#include "base/log.h"
#include "siit/siit_loop.h"
#include "tokenizers/identifier_similarity.h"
#include "tokenizers/text_features.h"
#include "training/checkpoint_model.h"

namespace genrec {
namespace {

void record_iteration(TrainingRun& run, const IterationRecord& record, std::int64_t step,
                      std::int64_t epochs) {
  const auto epoch = static_cast<double>(epochs);
  run.measure({step, epoch, record.iteration, "valid", "", 0}, record.valid);
  run.measure({step, epoch, record.iteration, "identifiers", "", 0},
              {{"collision_rate", record.collision_rate},
               {"collision_rate_final", record.collision_rate_final},
               {"overflow_rate", record.overflow_rate},
               {"adjustment_ratio", record.adjustment_ratio},
               {"semantic_identifier_similarity", record.semantic_identifier_similarity}});
  const StageSeconds& s = record.seconds;
  run.measure({step, epoch, record.iteration, "seconds", "", 0}, {{"train", s.train},
                                                                  {"align", s.align},
                                                                  {"regenerate", s.regenerate},
                                                                  {"assign", s.assign},
                                                                  {"evaluate", s.evaluate}});
}

RunResults results_of(const SiitState& state, const IdentifierTable& selected) {
  return {.command = "siit",
          .selected = iteration_name(state.best_iteration),
          .selected_iteration = state.best_iteration,
          .identifiers_sha256 = selected.sha256(),
          .iterations = state.records,
          .test = state.test,
          .test_by_identifier = state.test_by_identifier,
          .baselines = {},
          .valid_baselines = {},
          .train_samples_per_s = train_samples_per_s(state),
          .decode_users_per_s = decode_users_per_s(state),
          .regenerate_items_per_s = regenerate_items_per_s(state, selected.items())};
}

}  // namespace

ExitCode run_siit(Session& session) {
  Communicator& world = session.mpi.world();
  const ProgramOptions& o = session.options;
  if (o.siit.iterations == 0) LOG_ROOT(WARNING) << "siit.iterations = 0: a warm-up without self-improvement";
  Runtime runtime = choose_runtime(o.run, session.mpi);
  Workspace workspace(session, nullptr, "siit");
  if (o.siit.iterations > 0) workspace.require_titles();
  if (o.run.dry_run) return dry_run(session, workspace, runtime);

  TrainingRun run(session, "siit", workspace, runtime);
  IdentifierTable initial;
  if (run.resumed) {
    workspace.keep_codebooks(run.resumed->codebooks);
  } else {
    FirstIdentifiers first = make_first_identifiers(session, workspace, runtime, run.identifier_run());
    workspace.keep_codebooks(std::move(first.codebooks));
    initial = std::move(first.table);
  }
  TrainingOrder order = workspace.training_order(o.train.batch);
  const SparseFeatures features = tfidf(workspace.texts());
  SiitContext context{.interactions = workspace.dataset().interactions,
                      .order = order,
                      .prompts = workspace.prompts(),
                      .titles = workspace.titles(),
                      .history = o.data.history,
                      .world = world,
                      .device_sums = runtime.reducer.get(),
                      .checkpoints = run.checkpoints,
                      .progress = run.progress,
                      .siit = o.siit,
                      .train = o.train,
                      .score = score_rule(o.decode),
                      .block = o.decode.batch,
                      .threads = runtime.threads,
                      .seed = o.run.seed,
                      .identity = workspace.identity()};
  context.evaluate = [&](const T5Model& model, const TokenizedItems& items, Split split) {
    return run.evaluate(model, items, split);
  };
  context.similarity = [&](const IdentifierTable& table) {
    return semantic_identifier_similarity(table, features);
  };
  context.should_stop = [&] { return run.stop.requested(); };
  context.checkpoint_due = [&] { return run.checkpoint_due(); };
  context.on_step = [&](const StepReport& report, std::int64_t step, int iteration,
                        const std::string& split) { run.measure(report, step, iteration, split); };
  context.on_iteration = [&](const IterationRecord& record, std::int64_t step, std::int64_t epochs,
                             bool best) {
    record_iteration(run, record, step, epochs);
    LOG_ROOT(INFO) << iteration_name(record.iteration) << ", validation: " << to_text(record.valid)
                   << (best ? "; the best so far" : "");
  };
  context.on_table = [&](int iteration, const IdentifierTable& table) {
    if (world.is_root()) write_index_json(run.folder.identifiers(iteration), table);
  };

  std::unique_ptr<SiitLoop> loop;
  if (run.resumed) {
    auto model = model_from_checkpoint(*run.resumed, runtime.device, runtime.precision);
    loop = std::make_unique<SiitLoop>(std::move(context), std::move(model), std::move(*run.resumed));
  } else {
    Vocabulary vocabulary(workspace.text_pieces(), initial.symbols());
    auto model = workspace.make_model(runtime, vocabulary);
    loop = std::make_unique<SiitLoop>(std::move(context), std::move(model), std::move(vocabulary),
                                      std::move(initial));
  }
  if (loop->state().stage == SiitStage::kDone && run.has_summary()) {
    run.show_finished(results_of(loop->state(), loop->selected_table()));
    return ExitCode::kDone;
  }
  run.describe();
  const SiitState& state = loop->run();
  if (state.stage != SiitStage::kDone) {
    if (world.is_root()) {
      std::cout << run.folder.path().string() << ": stopped before " << o.siit.stop_before
                << " as asked (siit.stop-before); the same command without it goes on" << std::endl;
    }
    return ExitCode::kDone;
  }
  run.finish(results_of(state, loop->selected_table()), loop->steps(),
             static_cast<double>(o.siit.warmup_epochs + state.best_iteration * o.siit.finetune_epochs));
  return ExitCode::kDone;
}

}  // namespace genrec
