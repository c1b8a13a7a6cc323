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

/// The checkpoint that the command line names: a file, or the `best` (else `last`) of a run folder; without
/// an argument the one of run.dir. Throws UsageError when neither is given.
[[nodiscard]] std::filesystem::path checkpoint_path(const CommandLine& line, const RunOptions& run);

/// Opens that checkpoint. Throws MissingInput, or DataError when it is of another dataset. Collective.
SavedModel open_saved_model(Session& session, const Runtime& runtime);

}  // namespace genrec
