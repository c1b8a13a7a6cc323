#pragma once
#include "app/session.h"

namespace genrec {

/// tokenizer.new-items: identifiers for items that the tokenizer in run.dir never saw, behind those in use
/// (its own, or those that a recommender in run.dir has come to); all of them stay as they are. All go to
/// identifiers/with-new-items.index.json. A later call may add to the items of an earlier one, by a file that
/// begins with their vectors. Throws UsageError (no run.dir; tokenizer options that are not the tokenizer's;
/// identifiers of an earlier call would change) and DataError (training not done; vectors of another encoder,
/// width, or with NaN). Collective; rank 0 alone works.
ExitCode add_new_items(Session& session);

}  // namespace genrec
