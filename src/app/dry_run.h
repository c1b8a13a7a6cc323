#pragma once
#include "app/runtime.h"
#include "app/session.h"
#include "app/workspace.h"

namespace genrec {

/// --run.dry-run: the data was read and checked; prints sizes, and estimates memory and time from the model's
/// operations and the measured rates of its training, decoding, updates and sums over ranks. Collective.
ExitCode dry_run(Session& session, const Workspace& workspace, const Runtime& runtime);

}  // namespace genrec
