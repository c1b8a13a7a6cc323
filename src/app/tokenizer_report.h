#pragma once
#include <cstdint>
#include <optional>

#include "base/metrics.h"
#include "data/embeddings.h"
#include "io/json_file.h"
#include "tokenizers/rqvae/rqvae_tokenizer.h"

namespace genrec {

/// What the training of a tokenizer (tiger, letter) did, and what it was given.
struct TokenizerTraining {
  RqvaeReport report;
  EmbeddingProvenance embeddings;
  std::optional<EmbeddingProvenance> cf;
  std::int64_t epochs = 0;          ///< done, by all calls
  std::int64_t epochs_of_call = 0;  ///< of these, by this one
  double seconds = 0;               ///< that they took
};

/// Figures of a measurement for metrics.jsonl: losses, collisions, of each level ("_1", ...) usage, entropy,
/// perplexity and residual norm, and the speed of the epoch before, where this call has trained one.
[[nodiscard]] Metrics tokenizer_metrics(const RqvaeMeasurement& measured, double epoch_seconds);
/// Where vectors come from, for every JSON file that says so.
[[nodiscard]] Json provenance_json(const EmbeddingProvenance& from);
/// For summary.json, and for the tokenizer's own file.
[[nodiscard]] Json tokenizer_report(const TokenizerTraining& training);

}  // namespace genrec
