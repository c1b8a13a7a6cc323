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
/// avoidance, regenerated codes) in the order of their addition: a number once given never changes.
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
  [[nodiscard]] bool has(const std::string& symbol) const { return numbers_.contains(symbol); }
  /// The symbol of an identifier token.
  [[nodiscard]] const std::string& symbol(TokenId token) const;
  /// Appends the symbols that are new; returns how many were.
  std::int64_t add(std::span<const std::string> symbols);

 private:
  explicit Vocabulary(TokenId text_pieces) : text_pieces_(text_pieces) {}
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
