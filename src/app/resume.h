#pragma once
#include <optional>

#include "app/run_folder.h"
#include "app/session.h"
#include "app/workspace.h"
#include "training/checkpoint_folder.h"

namespace genrec {

/// The state that run.resume asks for: the run folder's newest checkpoint, or nothing for a fresh start.
/// Throws UsageError (never, but the folder holds a run), MissingInput (must, but there is none), DataError
/// (another dataset or text model). Measurements behind the checkpoint are forgotten. Collective.
std::optional<CheckpointState> find_resume_state(Session& session, const Workspace& workspace,
                                                 CheckpointFolder& checkpoints, RunFolder& folder);

}  // namespace genrec
