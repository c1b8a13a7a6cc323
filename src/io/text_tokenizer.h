#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace genrec {

/// Text ↔ pieces, numbered as Hugging Face's T5 tokenizer numbers them: the SentencePiece model's pieces,
/// then 100 sentinels (<extra_id_99> .. <extra_id_0> from the first id after the pieces on). encode() equals
/// T5TokenizerFast without the closing </s>. Thread-safe.
class TextTokenizer {
 public:
  /// A SentencePiece model file. Throws MissingInput or DataError.
  explicit TextTokenizer(const std::filesystem::path& spiece);
  /// A SentencePiece model as the bytes of its file (from a checkpoint).
  static TextTokenizer from_bytes(std::string bytes);
  /// Trains a unigram model with T5's reserved ids (pad 0, eos 1, unk 2) on the lines; deterministic. Fewer
  /// pieces than `pieces` when the text is too small for them.
  static TextTokenizer train(const std::vector<std::string>& lines, int pieces, std::uint64_t seed);
  ~TextTokenizer();
  TextTokenizer(TextTokenizer&&) noexcept;
  TextTokenizer& operator=(TextTokenizer&&) noexcept;

  /// Pieces of the text, no end token.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text) const;
  /// The text of the pieces; reserved tokens and sentinels give none.
  [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const;
  /// Pieces and sentinels: the number of the first identifier token.
  [[nodiscard]] TokenId size() const;
  /// The model file's bytes, to be stored with a checkpoint.
  [[nodiscard]] const std::string& model_bytes() const;
  [[nodiscard]] std::string piece(TokenId id) const;

 private:
  struct Impl;
  explicit TextTokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace genrec
