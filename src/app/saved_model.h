#pragma once
#include <filesystem>
#include <memory>

#include "app/session.h"
#include "app/workspace.h"
#include "training/checkpoint.h"

namespace genrec {

/// A checkpoint opened for evaluate and recommend: the model with the identifiers and vocabulary it belongs
/// to.
struct SavedModel {
  CheckpointState state;
  std::unique_ptr<Workspace> workspace;
  std::unique_ptr<T5Model> model;
  std::unique_ptr<TokenizedItems> items;
};

/// Opens the checkpoint of the command line, or run.dir's `best` (else `last`). Throws MissingInput, or
/// DataError when it is of another dataset. Collective.
SavedModel open_saved_model(Session& session, const Runtime& runtime);

}  // namespace genrec
