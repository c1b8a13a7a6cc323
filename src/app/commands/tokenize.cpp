// tokenize: items → identifiers with one tokenizer.
#include <iostream>

#include "app/run_folder.h"
#include "app/session.h"
#include "app/workspace.h"
#include "base/error.h"
#include "training/checkpoint_folder.h"

namespace genrec {
namespace {

/// Its config.ini and summary.json would be lost. Collective.
void refuse_run(const RunFolder& folder, Communicator& world) {
  if (!CheckpointFolder(folder.checkpoints(), 0, world).holds_run()) return;
  throw UsageError("run.dir = " + folder.path().string() + " holds a run: give another --run.dir");
}

/// Identifiers are made on the CPU, whatever the node has.
Runtime cpu_runtime(const Session& session) {
  RunOptions options = session.options.run;
  options.device = "cpu";
  options.comm = "mpi";
  options.precision = "f32";
  return choose_runtime(options, session.mpi);
}

ProgramOptions without_text(ProgramOptions options) {
  options.model.vocabulary = "codes";
  options.text.templates = "none";
  return options;
}

}  // namespace

ExitCode run_tokenize(Session& session) {
  const Runtime runtime = cpu_runtime(session);
  // A copy: config.ini gets the options as they were given.
  ProgramOptions options = without_text(session.options);
  Session reading{options, session.parser, session.line, session.mpi, session.logging};
  const Workspace workspace(reading);
  Communicator& world = session.mpi.world();
  RunFolder folder(run_directory(session, "tokenize", workspace.dataset()), world.is_root());
  refuse_run(folder, world);
  const IdentifierTable table = workspace.make_identifiers();
  world.require_equal(table.sha256(), "the identifier table");

  folder.create();
  folder.write_config(session.parser.resolved_ini());
  folder.write_environment(describe_environment(session, runtime, workspace));
  if (!world.is_root()) return ExitCode::kDone;
  write_index_json(folder.identifiers(0), table);
  folder.write_summary({{"command", "tokenize"},
                        {"dataset", workspace.dataset().name},
                        {"items", table.items()},
                        {"ranks", session.mpi.size()},
                        {"seed", session.options.run.seed},
                        {"identifiers_sha256", table.sha256()},
                        {"collision_rate", table.collision_rate()},
                        {"symbols", table.symbols().size()}});
  std::cout << folder.identifiers(0).string() << ": " << table.items() << " items, " << table.distinct()
            << " distinct identifiers, " << table.symbols().size() << " symbols, sha256 " << table.sha256()
            << std::endl;
  return ExitCode::kDone;
}

}  // namespace genrec
