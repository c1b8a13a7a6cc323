#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "comm/communicator.h"
#include "io/host_array.h"
#include "tokenizers/identifier_table.h"
#include "training/train_position.h"

namespace genrec {

/// Tensors by Hugging Face's parameter names.
using WeightMap = std::map<std::string, HostArray>;

/// AdamW's moments, by parameter name.
struct OptimizerState {
  std::int64_t step = 0;
  WeightMap exp_avg, exp_avg_sq;
};

/// All that a run needs to go on, as plain data: nothing here knows the model, the ranks or the loop. Random
/// streams are functions of the seed and the position (base/random.h), so the seed is their whole state.
struct CheckpointState {
  // What the run is.
  std::string dataset;      ///< name
  std::string fingerprint;  ///< Dataset::fingerprint
  std::string git;          ///< revision of the program that wrote it
  std::string config;       ///< the resolved options as INI text
  std::uint64_t seed = 0;

  // How far it has come.
  std::int64_t step = 0;         ///< optimiser steps of the whole run; names the file
  std::string stage;             ///< "warm-up", "align", ...
  std::int64_t iteration = 0;    ///< of self-improvement
  TrainPosition position;        ///< within the stage
  std::int64_t regenerated = 0;  ///< items that a regeneration in work has candidates of
  std::string loop;              ///< the command's own state (best iteration, records ...) as JSON text

  // The models.
  std::string model_config;                 ///< text of a Hugging Face config.json
  WeightMap model;                          ///< the recommender
  WeightMap aligned;                        ///< the aligned model; empty outside alignment and regeneration
  std::optional<OptimizerState> optimizer;  ///< of the model in training; absent between stages
  WeightMap candidates;                     ///< of these items (siit/candidate_arrays.h)

  // Tokens and identifiers.
  TokenId text_pieces = 0;
  std::string spiece;                    ///< bytes of the SentencePiece model; empty when codes only
  std::vector<std::string> templates;    ///< of the prompts; empty: none
  std::vector<std::string> vocabulary;   ///< identifier symbols in the order of their numbers
  HostArray codebooks;                   ///< [levels, codes, dim] of the tokenizer; no shape: it has none
  IdentifierTable identifiers;           ///< the current table
  std::vector<IdentifierTable> history;  ///< the table of each iteration, 0 first
};

/// Writes the file atomically, a checksum on each dataset (layout: contract, "A run folder"). Throws
/// InputOutputError; what was at `path` before stays whole.
void write_checkpoint(const std::filesystem::path& path, const CheckpointState& state);

enum class CheckpointParts {
  kAll,
  kModel,  ///< without optimiser, aligned model, candidates and history: what evaluation needs
};

/// Reads a file and checks every dataset that it takes. Throws MissingInput, InputOutputError (damaged) or
/// DataError (no checkpoint, or of another schema version), naming file, object and remedy.
[[nodiscard]] CheckpointState read_checkpoint(const std::filesystem::path& path,
                                              CheckpointParts parts = CheckpointParts::kAll);
/// The bytes of its SentencePiece model alone; "" when codes only. Throws as read_checkpoint() does.
[[nodiscard]] std::string read_text_model(const std::filesystem::path& path);

/// Throws DataError when the checkpoint belongs to another dataset.
void require_dataset(const CheckpointState& state, const std::string& fingerprint, const std::string& dataset,
                     const std::filesystem::path& path);

/// Gives every rank the root's state, but for the candidates: the root alone assigns.
void broadcast_checkpoint(CheckpointState& state, Communicator& world);

}  // namespace genrec
