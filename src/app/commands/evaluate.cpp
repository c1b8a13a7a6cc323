// evaluate: metrics of a checkpoint on valid or test.
#include <iostream>

#include "app/results.h"
#include "app/saved_model.h"
#include "app/session.h"
#include "base/log.h"
#include "base/progress.h"

namespace genrec {

ExitCode run_evaluate(Session& session) {
  const ProgramOptions& o = session.options;
  Runtime runtime = choose_runtime(o.run, session.mpi);
  SavedModel saved = open_saved_model(session, runtime);
  const Split split = o.eval.split == "valid" ? Split::kValid : Split::kTest;
  Progress progress(progress_mode(o.run.progress), session.mpi.rank());
  const EvaluationReport evaluation =
      evaluate_split(session, *saved.workspace, runtime, progress, *saved.model, *saved.items, split);
  Json result = {{"command", "evaluate"},
                 {"dataset", saved.workspace->dataset().name},
                 {"split", o.eval.split},
                 {"users", evaluation.users},
                 {"identifiers_sha256", saved.state.identifiers.sha256()},
                 {o.eval.split, Json(evaluation.by_item)},
                 {o.eval.split + "_by_identifier", Json(evaluation.by_identifier)}};
  if (o.eval.baselines == "popularity")
    result["baselines"]["popularity"] = Json(evaluate_popularity(session, *saved.workspace, split));
  if (session.mpi.rank() == 0) std::cout << result.dump(2) << std::endl;
  return ExitCode::kDone;
}

}  // namespace genrec
