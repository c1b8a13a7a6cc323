#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "app/options.h"
#include "comm/communicator.h"
#include "config/option_parser.h"
#include "data/dataset.h"
#include "data/embeddings.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/rqvae/rqvae_state.h"

namespace genrec {

/// A tokenizer's place in the checkpoints/ of a run folder.
inline constexpr const char* kTokenizerFile = "tokenizer.h5";

/// A trained tokenizer, or one in training. In HDF5: /tokenizer (rqvae_state.h; attributes of it say where
/// the vectors are from), /config, once the training is done /items (identifier_hdf5.h) and /report, and root
/// attributes name and fingerprint of the dataset and git.
struct TokenizerFile {
  std::string dataset, fingerprint, git;
  std::string config;  ///< the resolved options as INI text
  RqvaeState state;
  EmbeddingProvenance embeddings;
  std::optional<EmbeddingProvenance> cf;
  std::optional<IdentifierTable> table;
  std::string report;  ///< JSON (tokenizer_report.h); "" while it is in training
};

/// Atomically. Throws InputOutputError.
void write_tokenizer_file(const std::filesystem::path& path, const TokenizerFile& file);
/// Throws MissingInput, InputOutputError (damaged) or DataError (another kind of file).
[[nodiscard]] TokenizerFile read_tokenizer_file(const std::filesystem::path& path);
/// Its report alone; "" also where there is no such file. Throws InputOutputError.
[[nodiscard]] std::string read_tokenizer_report(const std::filesystem::path& path);

/// The state that an earlier call left at `path`, on every rank; nothing where it left none. Throws
/// MissingInput (run.resume = must, and there is none), UsageError (never, and there is one; options that its
/// training has used differ) and DataError (another dataset). Collective; rank 0 alone reads.
[[nodiscard]] std::optional<RqvaeState> load_tokenizer_state(const OptionParser& parser,
                                                             const ProgramOptions& options,
                                                             const Dataset& dataset,
                                                             const std::filesystem::path& path,
                                                             Communicator& world);
/// For what would leave the tokenizer at `path` beside identifiers that are not its own: throws UsageError
/// when there is one. Collective.
void require_no_tokenizer(const std::filesystem::path& path, Communicator& world);

}  // namespace genrec
