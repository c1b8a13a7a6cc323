#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/host_array.h"
#include "model/t5_model.h"

namespace genrec {

/// Opens a Hugging Face folder (config.json, model.safetensors or its shards). Tied copies of the embedding
/// (encoder.embed_tokens, decoder.embed_tokens, lm_head of a tied model) are accepted and checked to be
/// equal. Throws MissingInput or DataError naming the tensor that is absent, unknown or of another shape.
std::unique_ptr<T5Model> load_huggingface(const std::filesystem::path& folder, at::Device device,
                                          Precision precision);
/// Rows of a file's embeddings that are known to be a token of the model.
struct KnownRows {
  std::int64_t text = 0;  ///< so many first rows; the last of T5's files (32100 .. 32127) are no token's
  struct Move {
    std::int64_t from, to;
  };
  std::vector<Move> symbols = {};  ///< of identifiers, behind the text
};

/// Copies weights by name into `model`, whose vocabulary may be larger than the file's: the new rows are
/// initialised as in grow_vocabulary. With `known` only those rows of the file's embeddings are taken, and
/// the model's other tokens are new.
void load_weights(T5Model& model, const std::map<std::string, HostArray>& tensors, const std::string& origin,
                  std::uint64_t seed, const std::optional<KnownRows>& known = std::nullopt);
/// Writes config.json, generation_config.json and model.safetensors: transformers opens the folder and gives
/// equal logits.
void save_huggingface(const T5Model& model, const std::filesystem::path& folder);

/// Parameters as host arrays by Hugging Face name (for checkpoints), and back.
std::map<std::string, HostArray> weights_to_host(const T5Model& model);

}  // namespace genrec
