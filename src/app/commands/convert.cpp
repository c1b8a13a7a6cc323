// convert: LETTER's JSON ↔ the program's HDF5 dataset; checkpoint ↔ Hugging Face folder.
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "app/session.h"
#include "app/version.h"
#include "base/error.h"
#include "comm/on_root.h"
#include "data/load_dataset.h"
#include "data/readers/hdf5_dataset.h"
#include "data/readers/letter_json.h"
#include "io/files.h"
#include "io/hdf5.h"
#include "io/json_object_writer.h"
#include "io/text_tokenizer.h"
#include "model/huggingface.h"
#include "tokenizers/added_tokens.h"
#include "tokenizers/identifier_hdf5.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/index_tokenizer.h"
#include "tokenizers/vocabulary.h"
#include "training/checkpoint.h"
#include "training/checkpoint_model.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndex = "identifiers.index.json";
constexpr const char* kSpiece = "spiece.model";

enum class Source { kCheckpoint, kDatasetFile, kDatasetFolder, kModelFolder };

/// By content: a checkpoint's links have no extension.
Source source_of(const fs::path& from) {
  if (fs::is_directory(from)) {
    return fs::exists(from / "config.json") ? Source::kModelFolder : Source::kDatasetFolder;
  }
  const Hdf5Reader file(from);
  if (file.has("/progress")) return Source::kCheckpoint;
  if (file.has("/interactions")) return Source::kDatasetFile;
  throw DataError("--from " + from.string() + ": an HDF5 file, but neither a checkpoint nor a dataset; see " +
                  "`genrec_dist help convert`");
}

bool is_hdf5(const fs::path& path) {
  return path.extension() == ".h5" || path.extension() == ".hdf5";
}

/// Names the embedding's rows behind the text pieces, in Hugging Face's format: the identifier table alone
/// does not tell their order, nor the symbols that it no longer uses.
void write_added_tokens(const fs::path& path, const CheckpointState& state) {
  JsonObjectWriter file(path);
  TokenId row = state.text_pieces;
  for (const std::string& symbol : state.vocabulary) file.add(symbol, std::to_string(row++));
  file.commit();
}

/// The tokens of the embedding's `rows`.
Vocabulary read_vocabulary(const fs::path& folder, const CheckpointState& state, std::int64_t rows) {
  const fs::path names = folder / kAddedTokens;
  const bool named = fs::exists(names);
  Vocabulary vocabulary =
      named ? Vocabulary::restore(state.text_pieces, read_added_tokens(names, state.text_pieces))
            : Vocabulary(state.text_pieces, state.identifiers.symbols());
  if (named ? vocabulary.size() > rows : vocabulary.size() != rows) {
    throw DataError(
        (named ? names : folder / kIndex).string() + ": with the text pieces it makes " +
        std::to_string(vocabulary.size()) + " tokens, but the embedding in " + folder.string() + " has " +
        std::to_string(rows) + " rows; " +
        (named ? "take all files of one export"
               : "add " + std::string(kAddedTokens) + " with the row of every symbol, as convert writes it"));
  }
  return vocabulary;
}

void write_huggingface(const fs::path& from, const fs::path& to) {
  const CheckpointState state = read_checkpoint(from, CheckpointParts::kModel);
  const auto model = model_from_checkpoint(state, at::kCPU, Precision::kFloat32);
  save_huggingface(*model, to);
  write_index_json(to / kIndex, state.identifiers);
  write_added_tokens(to / kAddedTokens, state);
  if (!state.spiece.empty()) write_file_atomically(to / kSpiece, state.spiece);
  std::cout << to.string() << ": config.json, model.safetensors, " << kIndex << ", " << kAddedTokens
            << (state.spiece.empty() ? "" : ", " + std::string(kSpiece)) << std::endl;
}

/// A Hugging Face folder with an identifier table in it becomes a checkpoint that evaluate and recommend
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
  state.identifiers = read_index_json(from / kIndex, dataset.items());
  state.history = {state.identifiers};
  if (fs::exists(from / kSpiece)) state.spiece = read_text_file(from / kSpiece);
  state.text_pieces =
      state.spiece.empty() ? kUnknownToken + 1 : TextTokenizer::from_bytes(state.spiece).size();
  const Vocabulary vocabulary = read_vocabulary(from, state, model->config().vocab_size);
  const TokenizedItems known(state.identifiers, vocabulary);  // refuses a symbol without a row
  state.vocabulary = vocabulary.symbols();
  write_checkpoint(to, state);
  std::cout << to.string() << ": checkpoint of " << from.string() << std::endl;
}

/// The dataset that --from names, as section `data` limits it.
DataOptions source_options(const fs::path& from, const Session& session) {
  DataOptions options = session.options.data;
  const bool is_folder = fs::is_directory(from);
  options.dir = is_folder ? from.string() : "";
  options.file = is_folder ? "" : from.string();
  options.needs_text = false;
  return options;
}

Dataset load(const DataOptions& options, const Session& session) {
  DatasetRepairs repairs;
  Dataset dataset = load_dataset(options, session.options.run.seed, 0, 1, repairs);
  for (const std::string& sentence : describe(repairs)) std::cerr << dataset.name << ": " << sentence << "\n";
  return dataset;
}

/// Identifiers that come with the dataset go along.
std::optional<IdentifierTable> identifiers_of(const DataOptions& options, const Dataset& dataset) {
  const fs::path index = index_file(options);
  if (index.empty()) return std::nullopt;
  return read_identifiers_for(dataset, index);
}

void say(const fs::path& to, const Dataset& dataset, bool has_identifiers) {
  std::cout << to.string() << ": " << dataset.users() << " users, " << dataset.items() << " items, "
            << dataset.interaction_count << " interactions" << (has_identifiers ? ", identifiers" : "")
            << std::endl;
}

void write_dataset_file(const fs::path& from, const fs::path& to, const Session& session) {
  const DataOptions options = source_options(from, session);
  const Dataset dataset = load(options, session);
  const auto table = identifiers_of(options, dataset);
  write_hdf5_dataset(to, dataset, [&](Hdf5Writer& file) {
    if (table) write_identifiers(file, kIdentifierGroup, *table);
  });
  say(to, dataset, table.has_value());
}

void write_dataset_folder(const fs::path& from, const fs::path& to, const Session& session) {
  const DataOptions options = source_options(from, session);
  const Dataset dataset = load(options, session);
  const auto table = identifiers_of(options, dataset);
  write_letter_json(to, dataset.name, dataset);
  if (table) write_index_json(to / (dataset.name + ".index.json"), *table);
  say(to, dataset, table.has_value());
}

void convert(const fs::path& from, const fs::path& to, const Session& session) {
  const Source source = source_of(from);
  const bool to_folder = fs::is_directory(to) || !is_hdf5(to);
  if (source == Source::kCheckpoint && to_folder) return write_huggingface(from, to);
  if (source == Source::kModelFolder && !fs::is_directory(to)) return write_checkpoint_of(from, to, session);
  if (source == Source::kDatasetFile && to_folder) return write_dataset_folder(from, to, session);
  if (source == Source::kDatasetFile || (source == Source::kDatasetFolder && !to_folder)) {
    return write_dataset_file(from, to, session);
  }
  throw UsageError("convert knows: dataset folder ↔ FILE.h5, checkpoint ↔ Hugging Face folder; not " +
                   from.string() + " → " + to.string() + ": see `genrec_dist help convert`");
}

}  // namespace

ExitCode run_convert(Session& session) {
  const fs::path from = session.options.from, to = session.options.to;
  if (from.empty() || to.empty())
    throw UsageError("convert needs --from and --to; see `genrec_dist help convert`");
  std::error_code unreadable;
  if (!fs::exists(from, unreadable))
    throw MissingInput("--from " + from.string() + ": no such file or folder");
  on_root(session.mpi.world(), [&] { convert(from, to, session); });
  return ExitCode::kDone;
}

}  // namespace genrec
