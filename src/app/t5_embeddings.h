#pragma once
#include "app/session.h"
#include "app/workspace.h"
#include "base/progress.h"
#include "data/embeddings.h"

namespace genrec {

/// Vectors of the items' texts: the mean of the encoder's outputs over the text's pieces (cut to
/// text.max-pieces) and the end token, by the T5 of model.weights. [items, d_model], the same on every rank.
/// Collective: ranks encode even parts of the items.
[[nodiscard]] Embeddings t5_embeddings(Session& session, const Workspace& workspace, const Runtime& runtime,
                                       Progress& progress);

}  // namespace genrec
