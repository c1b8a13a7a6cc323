#pragma once
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/types.h"
#include "tokenizers/identifier_table.h"

namespace genrec {

/// Numbers the model's tokens: `text_pieces` text pieces (or only pad, end, unknown in a codes-only model),
/// then the identifier symbols sorted as strings (LETTER's order), then symbols added later (collision
/// avoidance, regenerated codes) in the order of their addition: a number once given never changes. A symbol
/// that stands for a text piece (symbols.h) is that piece's token and is not among the symbols here.
class Vocabulary {
 public:
  /// `text_pieces`: TextTokenizer::size(), or 3 for model.vocabulary = codes.
  Vocabulary(TokenId text_pieces, const std::vector<std::string>& identifier_symbols);
  /// As stored in a checkpoint: symbols in the order of their numbers.
  static Vocabulary restore(TokenId text_pieces, std::vector<std::string> symbols_in_order);

  [[nodiscard]] TokenId size() const { return text_pieces_ + static_cast<TokenId>(symbols_.size()); }
  [[nodiscard]] TokenId text_pieces() const { return text_pieces_; }
  [[nodiscard]] const std::vector<std::string>& symbols() const { return symbols_; }
  /// Throws DataError for a symbol that is not in the vocabulary.
  [[nodiscard]] TokenId token(const std::string& symbol) const;
  [[nodiscard]] bool has(const std::string& symbol) const;
  /// The symbol of a token that identifiers may hold: of a text piece "<piece_N>".
  [[nodiscard]] std::string symbol(TokenId token) const;
  /// Appends the symbols that are new, text pieces left out; returns how many were.
  std::int64_t add(std::span<const std::string> symbols);

 private:
  explicit Vocabulary(TokenId text_pieces) : text_pieces_(text_pieces) {}
  /// Not the reserved tokens, which are all that a codes-only model has.
  [[nodiscard]] bool is_text(TokenId token) const {
    return text_pieces_ > kUnknownToken + 1 && token > kEndToken && token < text_pieces_;
  }
  TokenId text_pieces_;
  std::vector<std::string> symbols_;
  std::unordered_map<std::string, TokenId> numbers_;
};

/// An identifier table in the model's tokens: what tasks and tries read.
class TokenizedItems {
 public:
  TokenizedItems(const IdentifierTable& table, const Vocabulary& vocabulary);
  [[nodiscard]] std::span<const TokenId> of(ItemId item) const {
    const auto i = static_cast<std::size_t>(item);
    return std::span(tokens_).subspan(static_cast<std::size_t>(offsets_[i]),
                                      static_cast<std::size_t>(offsets_[i + 1] - offsets_[i]));
  }
  [[nodiscard]] std::int64_t items() const { return static_cast<std::int64_t>(offsets_.size()) - 1; }
  [[nodiscard]] std::int64_t max_length() const { return max_length_; }
  [[nodiscard]] const std::vector<std::int64_t>& offsets() const { return offsets_; }
  [[nodiscard]] const std::vector<TokenId>& tokens() const { return tokens_; }

 private:
  std::vector<std::int64_t> offsets_;
  std::vector<TokenId> tokens_;
  std::int64_t max_length_ = 0;
};

}  // namespace genrec
