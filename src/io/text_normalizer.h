#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace genrec {

/// The character mapping of a SentencePiece model (a double-array trie and the replacements, as the model
/// file holds them), applied the way of Hugging Face's tokenizers, which differs from SentencePiece's own:
/// characters that form one visible sign (a letter and its accents) and take less than six bytes are replaced
/// together, by the shortest entry that matches; all others one by one.
class TextNormalizer {
 public:
  /// `map`: precompiled_charsmap of the model; empty: no mapping. Throws DataError.
  explicit TextNormalizer(std::string_view map);

  /// Bytes that are not UTF-8 become U+FFFD.
  [[nodiscard]] std::string apply(std::string_view text) const;

 private:
  /// Appends the replacement of the shortest entry that begins the text; false when there is none.
  bool replace(std::string_view text, std::string& result) const;

  std::vector<std::uint32_t> trie_;
  std::string replacements_;
};

/// The words of a text, separated by Unicode white space.
[[nodiscard]] std::vector<std::string_view> split_words(std::string_view text);

}  // namespace genrec
