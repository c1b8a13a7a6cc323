// tokenize: items → identifiers with one tokenizer.
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

#include "app/cf_state_file.h"
#include "app/checkpoint_clock.h"
#include "app/first_identifiers.h"
#include "app/new_items.h"
#include "app/results.h"
#include "app/run_folder.h"
#include "app/session.h"
#include "app/tokenizer_file.h"
#include "app/workspace.h"
#include "base/error.h"
#include "base/stop_signal.h"
#include "base/stopwatch.h"
#include "eval/table_diagnostics.h"
#include "io/files.h"
#include "tokenizers/registry.h"
#include "tokenizers/statistics.h"

namespace genrec {
namespace {

constexpr const char* kSpiece = "spiece.model";

/// tiger and letter are trained where and in what the options say; the others are made on the CPU in f32,
/// whatever the node has.
Runtime runtime_for(const std::string& method, const Session& session) {
  RunOptions options = session.options.run;
  if (!is_rqvae(method)) {
    options.precision = "f32";
    options.device = "cpu";
    options.comm = "mpi";
  }
  return choose_runtime(options, session.mpi);
}

/// What Workspace is to read for the method: text pieces only where identifiers are made of them.
ProgramOptions reading_options(ProgramOptions options, const std::string& method) {
  if (writes_text(method)) return options;
  options.model.vocabulary = "codes";
  options.text.templates = "none";
  return options;
}

/// Collective.
Json summary(Session& session, const Workspace& workspace, const Runtime& runtime, const std::string& method,
             const FirstIdentifiers& made, double seconds) {
  const IdentifierTable& table = made.table;
  Json json = run_facts("tokenize", session, workspace, runtime);
  json["method"] = method;
  json["identifiers_sha256"] = table.sha256();
  json["collision_rate"] = table.collision_rate();
  json["symbols"] = table.symbols().size();
  json["positions"] = positions_json(statistics_of(table));
  if (made.training) json["training"] = tokenizer_report(*made.training);
  json["seconds"] = {{"tokenize", seconds}};
  json["peak_memory_bytes"] = peak_memory_of_ranks(session.mpi.world());
  return json;
}

void say(const std::filesystem::path& path, const IdentifierTable& table) {
  std::cout << path.string() << ": " << table.items() << " items, " << table.distinct()
            << " distinct identifiers, " << table.symbols().size() << " symbols, sha256 " << table.sha256()
            << std::endl;
}

/// tiger and letter ask for their state; the others' result is the table itself.
void check_resume(const std::string& resume, bool has_state, const RunFolder& folder, Communicator& world) {
  const std::filesystem::path table = folder.identifiers(0);
  const bool made = world.any(world.is_root() && std::filesystem::exists(table));
  if (made && resume == "never") {
    throw UsageError("run.resume = never, but there is " + table.string() +
                     " already: give another run.dir, or remove that folder");
  }
  if (!made && !has_state && resume == "must") {
    throw MissingInput("run.resume = must, but there is no " + table.string() +
                       ": give the run.dir of an earlier run, or run.resume = auto");
  }
}

FirstIdentifiers make(Session& session, const Workspace& workspace, const Runtime& runtime,
                      const std::string& method, RunFolder& folder) {
  const RunOptions& o = session.options.run;
  Progress progress(progress_mode(o.progress), session.mpi.rank());
  std::optional<StopSignal> stop;
  if (is_rqvae(method)) stop.emplace(time_limit(o));  // there is a state to go on from
  CheckpointClock clock(o.checkpoint_minutes);
  IdentifierRun run{.progress = progress,
                    .should_stop = [&stop] { return stop && stop->requested(); },
                    .checkpoint_due = [&clock] { return clock.due(); },
                    .state = folder.checkpoints() / kTokenizerFile};
  run.on_measurement = [&folder](const RqvaeEpoch& last, const RqvaeMeasurement& measured) {
    for (const auto& [name, value] : tokenizer_metrics(measured, last.seconds)) {
      folder.measure({measured.epoch, static_cast<double>(measured.epoch), 0, "tokenizer", name, value});
    }
  };
  // A call that is refused leaves the folder as it was.
  run.on_start = [&folder, &session](std::int64_t epochs) {
    folder.rewind_metrics(-1, epochs == 0 ? -1 : epochs);
    folder.write_config(session.parser.resolved_ini());
  };
  return make_first_identifiers(session, workspace, runtime, run);
}

}  // namespace

ExitCode run_tokenize(Session& session) {
  if (!session.options.vectors.new_items.empty()) return add_new_items(session);
  Communicator& world = session.mpi.world();
  const std::string method = method_of(tokenizer_options(session.options, world));
  if (!is_rqvae(method)) stop_listening();
  const Runtime runtime = runtime_for(method, session);
  // A copy: config.ini gets the options as they were given.
  ProgramOptions options = reading_options(session.options, method);
  Session reading{options, session.parser, session.line, session.mpi, session.logging};
  const Workspace workspace(reading);
  RunFolder folder(run_directory(session, "tokenize", workspace.dataset()), world.is_root());
  require_no_training_run(folder, world);
  require_no_cf_state(folder.checkpoints() / kCfStateFile, world);
  folder.create();
  world.barrier();
  session.logging.open_file(folder.logs());
  check_resume(options.run.resume, is_rqvae(method), folder, world);
  const Stopwatch watch;
  const FirstIdentifiers made = make(reading, workspace, runtime, method, folder);
  const double seconds = watch.seconds();
  world.require_equal(made.table.sha256(), "the identifier table");

  folder.write_environment(describe_environment(session, runtime, workspace));
  const Json facts = summary(reading, workspace, runtime, method, made, seconds);
  if (!world.is_root()) return ExitCode::kDone;
  write_index_json(folder.identifiers(0), made.table);
  if (writes_text(method)) write_file_atomically(folder.path() / kSpiece, workspace.spiece_bytes());
  folder.write_summary(facts);
  say(folder.identifiers(0), made.table);
  return ExitCode::kDone;
}

}  // namespace genrec
