#include "app/saved_model.h"

#include "base/error.h"
#include "training/checkpoint_model.h"

namespace genrec {

std::filesystem::path checkpoint_path(const CommandLine& line, const RunOptions& run) {
  const std::filesystem::path named = line.arguments.empty() ? run.dir : line.arguments.front();
  if (named.empty()) {
    throw UsageError(line.command + " needs a checkpoint: `genrec_dist " + line.command +
                     " runs/NAME/checkpoints/best`, or --run.dir runs/NAME");
  }
  if (!line.arguments.empty() && !std::filesystem::is_directory(named)) return named;
  const auto best = named / "checkpoints" / "best", last = named / "checkpoints" / "last";
  return std::filesystem::exists(best) ? best : last;
}

SavedModel open_saved_model(Session& session, const Runtime& runtime) {
  const std::filesystem::path path = checkpoint_path(session.line, session.options.run);
  SavedModel saved;
  if (session.mpi.world().is_root()) saved.state = read_checkpoint(path, CheckpointParts::kModel);
  broadcast_checkpoint(saved.state, session.mpi.world());
  saved.workspace = std::make_unique<Workspace>(session, &saved.state);
  const Dataset& dataset = saved.workspace->dataset();
  require_dataset(saved.state, dataset.fingerprint, dataset.name, path);
  saved.model = model_from_checkpoint(saved.state, runtime.device, runtime.precision);
  const Vocabulary vocabulary = Vocabulary::restore(saved.state.text_pieces, saved.state.vocabulary);
  saved.items = std::make_unique<TokenizedItems>(saved.state.identifiers, vocabulary);
  return saved;
}

}  // namespace genrec
