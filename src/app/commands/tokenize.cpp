// tokenize: items → identifiers with one tokenizer.
#include <iostream>

#include "app/run_folder.h"
#include "app/session.h"
#include "app/workspace.h"

namespace genrec {

ExitCode run_tokenize(Session& session) {
  session.options.model.vocabulary = "codes";  // no text is read
  Workspace workspace(session);
  Communicator& world = session.mpi.world();
  const IdentifierTable table = workspace.make_identifiers();
  world.require_equal(table.sha256(), "the identifier table");

  RunFolder folder(run_directory(session, "tokenize", workspace.dataset()), world.is_root());
  folder.create();
  folder.write_config(session.parser.resolved_ini());
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
