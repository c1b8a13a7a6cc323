#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace genrec {

/// T5 v1.0 (ReLU, tied head) and v1.1 / Flan-T5 (gated GELU, untied head); names follow Hugging Face's
/// config.json.
struct T5Config {
  std::int64_t d_model = 128;
  std::int64_t d_kv = 64;
  std::int64_t d_ff = 1024;
  std::int64_t num_layers = 4;
  std::int64_t num_decoder_layers = 4;
  std::int64_t num_heads = 6;
  std::int64_t relative_attention_num_buckets = 32;
  std::int64_t relative_attention_max_distance = 128;
  std::int64_t vocab_size = 32128;
  double dropout_rate = 0.1;
  double layer_norm_epsilon = 1e-6;
  double initializer_factor = 1.0;
  bool gated_gelu = false;  ///< "feed_forward_proj": "gated-gelu" (gelu_new: tanh approximation), else "relu"
  bool tied_head = true;    ///< "tie_word_embeddings": head = shared, outputs scaled by d_model^-1/2

  [[nodiscard]] std::int64_t inner() const { return num_heads * d_kv; }
  /// tiny, tiger, t5-small or flan-t5-small; throws UsageError for another name.
  static T5Config preset(const std::string& name);
  /// Hugging Face's config.json; throws MissingInput or DataError (unknown activation, not a T5).
  static T5Config from_file(const std::filesystem::path& config_json);
  /// The same from its text; `origin` names it in messages.
  static T5Config from_json(const std::string& text, const std::string& origin);
  /// The text of a config.json that transformers opens as T5ForConditionalGeneration.
  [[nodiscard]] std::string to_json() const;
};

}  // namespace genrec
