// convert: LETTER's JSON → the program's HDF5 dataset; checkpoint ↔ Hugging Face folder.
#include <filesystem>
#include <iostream>

#include "app/session.h"
#include "app/version.h"
#include "base/error.h"
#include "data/load_dataset.h"
#include "data/readers/hdf5_dataset.h"
#include "io/files.h"
#include "io/hdf5.h"
#include "model/huggingface.h"
#include "tokenizers/identifier_table.h"
#include "training/checkpoint.h"
#include "training/checkpoint_model.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

bool is_hdf5(const fs::path& path) {
  return path.extension() == ".h5" || path.extension() == ".hdf5";
}

/// A checkpoint's links have no extension: look inside.
bool is_checkpoint(const fs::path& path) {
  return fs::is_regular_file(path) && path.extension() != ".safetensors" && Hdf5Reader(path).has("/progress");
}

void write_huggingface(const fs::path& from, const fs::path& to) {
  const CheckpointState state = read_checkpoint(from, CheckpointParts::kModel);
  const auto model = model_from_checkpoint(state, at::kCPU, Precision::kFloat32);
  save_huggingface(*model, to);
  write_index_json(to / "identifiers.index.json", state.identifiers);
  if (!state.spiece.empty()) write_file_atomically(to / "spiece.model", state.spiece);
  std::cout << to.string() << ": config.json, model.safetensors, identifiers.index.json"
            << (state.spiece.empty() ? "" : ", spiece.model") << std::endl;
}

/// A Hugging Face folder with an identifier table beside it becomes a checkpoint that evaluate and recommend
/// take.
void write_checkpoint_of(const fs::path& from, const fs::path& to, const Session& session) {
  const auto model = load_huggingface(from, at::kCPU, Precision::kFloat32);
  DatasetRepairs repairs;
  const Dataset dataset = load_dataset(session.options.data, session.options.run.seed, 0, 1, repairs);
  CheckpointState state;
  state.dataset = dataset.name;
  state.fingerprint = dataset.fingerprint;
  state.git = git_revision();
  state.config = session.parser.resolved_ini();
  state.seed = session.options.run.seed;
  state.stage = "imported";
  state.model_config = model->config().to_json();
  state.model = weights_to_host(*model);
  state.identifiers = read_index_json(from / "identifiers.index.json", dataset.items());
  state.history = {state.identifiers};
  if (fs::exists(from / "spiece.model")) state.spiece = read_text_file(from / "spiece.model");
  state.text_pieces =
      state.spiece.empty() ? kUnknownToken + 1 : TextTokenizer::from_bytes(state.spiece).size();
  const Vocabulary vocabulary(state.text_pieces, state.identifiers.symbols());
  if (vocabulary.size() > model->config().vocab_size) {
    throw DataError(from.string() + ": its embedding has " + std::to_string(model->config().vocab_size) +
                    " rows, but text pieces and identifier symbols need " +
                    std::to_string(vocabulary.size()) +
                    "; use the identifiers.index.json that belongs to these weights");
  }
  state.vocabulary = vocabulary.symbols();
  write_checkpoint(to, state);
  std::cout << to.string() << ": checkpoint of " << from.string() << std::endl;
}

void write_dataset(const fs::path& from, const fs::path& to, Session& session) {
  DataOptions options = session.options.data;
  options.dir = from.string();
  options.needs_text = false;
  DatasetRepairs repairs;
  const Dataset dataset = load_dataset(options, session.options.run.seed, 0, 1, repairs);
  for (const std::string& sentence : describe(repairs)) std::cerr << dataset.name << ": " << sentence << "\n";
  write_hdf5_dataset(to, dataset);
  std::cout << to.string() << ": " << dataset.users() << " users, " << dataset.items() << " items, "
            << dataset.interaction_count << " interactions" << std::endl;
}

}  // namespace

ExitCode run_convert(Session& session) {
  const fs::path from = session.options.from, to = session.options.to;
  if (from.empty() || to.empty())
    throw UsageError("convert needs --from and --to; see `genrec_dist help convert`");
  if (!fs::exists(from)) throw MissingInput("--from " + from.string() + ": no such file or folder");
  if (session.mpi.rank() != 0) return ExitCode::kDone;
  if (is_checkpoint(from)) {
    write_huggingface(from, to);
  } else if (fs::exists(from / "config.json")) {
    write_checkpoint_of(from, to, session);
  } else if (fs::is_directory(from) && is_hdf5(to)) {
    write_dataset(from, to, session);
  } else {
    throw UsageError(
        "convert knows: dataset folder → FILE.h5, checkpoint → Hugging Face folder, Hugging Face folder → "
        "checkpoint; not " +
        from.string() + " → " + to.string());
  }
  return ExitCode::kDone;
}

}  // namespace genrec
