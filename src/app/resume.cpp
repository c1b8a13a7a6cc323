#include "app/resume.h"

#include "base/error.h"
#include "base/log.h"

namespace genrec {

std::optional<CheckpointState> find_resume_state(Session& session, const Workspace& workspace,
                                                 CheckpointFolder& checkpoints, RunFolder& folder) {
  const std::string& resume = session.options.run.resume;
  const Dataset& dataset = workspace.dataset();
  std::optional<CheckpointState> state = checkpoints.load_last(dataset.fingerprint, dataset.name);
  if (!state && resume == "must") {
    throw MissingInput("run.resume = must, but " + folder.checkpoints().string() +
                       " holds no checkpoint: give the run.dir of an earlier run, or run.resume = auto");
  }
  if (state && resume == "never") {
    throw UsageError("run.resume = never, but " + folder.path().string() +
                     " already holds a run: give another run.dir, or remove that folder");
  }
  if (!state) return state;
  if (state->spiece != workspace.spiece_bytes()) {
    throw DataError(folder.checkpoints().string() +
                    ": the checkpoint has another SentencePiece model than this run: give the same "
                    "text.spiece and data.text, or another run.dir");
  }
  if (state->seed != session.options.run.seed) {
    throw UsageError("run.seed = " + std::to_string(session.options.run.seed) + ", but the checkpoint in " +
                     folder.path().string() + " was made with " + std::to_string(state->seed) +
                     ": give that seed, or another run.dir");
  }
  LOG_ROOT(INFO) << "going on from " << (folder.checkpoints() / "last").string() << ": " << state->stage
                 << ", iteration " << state->iteration << ", step " << state->step;
  folder.rewind_metrics(state->step);
  return state;
}

}  // namespace genrec
