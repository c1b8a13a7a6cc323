#include "tokenizers/vocabulary.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "tokenizers/symbols.h"

namespace genrec {

Vocabulary::Vocabulary(TokenId text_pieces, const std::vector<std::string>& identifier_symbols)
    : Vocabulary(text_pieces) {
  std::vector<std::string> sorted = identifier_symbols;
  std::sort(sorted.begin(), sorted.end());
  add(sorted);
}

Vocabulary Vocabulary::restore(TokenId text_pieces, std::vector<std::string> symbols_in_order) {
  Vocabulary vocabulary(text_pieces);
  if (vocabulary.add(symbols_in_order) != static_cast<std::int64_t>(symbols_in_order.size())) {
    throw DataError("vocabulary of the checkpoint: an identifier symbol occurs twice; expected each once");
  }
  return vocabulary;
}

TokenId Vocabulary::token(const std::string& symbol) const {
  if (const auto found = numbers_.find(symbol); found != numbers_.end()) return found->second;
  const std::optional<TokenId> piece = piece_of(symbol);
  if (piece && is_text(*piece)) return *piece;
  if (piece) {
    throw DataError("identifier symbol \"" + symbol + "\" is a text piece, but the model has " +
                    std::to_string(text_pieces_) +
                    "; use the SentencePiece model (text.spiece) that the identifiers were made with, and "
                    "model.vocabulary = text+codes");
  }
  throw DataError("identifier symbol \"" + symbol + "\" is not in the model's vocabulary of " +
                  std::to_string(symbols_.size()) +
                  " symbols; use the identifiers that the model was made with");
}

bool Vocabulary::has(const std::string& symbol) const {
  if (numbers_.contains(symbol)) return true;
  const std::optional<TokenId> piece = piece_of(symbol);
  return piece && is_text(*piece);
}

std::string Vocabulary::symbol(TokenId token) const {
  if (is_text(token)) return piece_symbol(token);
  if (token < text_pieces_ || token >= size()) {
    throw Error(ExitCode::kInternal, "token " + std::to_string(token) + " is no identifier symbol");
  }
  return symbols_[static_cast<std::size_t>(token - text_pieces_)];
}

std::int64_t Vocabulary::add(std::span<const std::string> symbols) {
  const std::size_t before = symbols_.size();
  for (const std::string& symbol : symbols) {
    if (piece_of(symbol)) continue;
    if (numbers_.emplace(symbol, size()).second) symbols_.push_back(symbol);
  }
  return static_cast<std::int64_t>(symbols_.size() - before);
}

TokenizedItems::TokenizedItems(const IdentifierTable& table, const Vocabulary& vocabulary)
    : offsets_(table.offsets()), max_length_(table.max_length()) {
  std::vector<TokenId> tokens;
  for (const std::string& symbol : table.symbols()) tokens.push_back(vocabulary.token(symbol));
  tokens_.reserve(table.codes().size());
  for (const SymbolId code : table.codes()) tokens_.push_back(tokens[static_cast<std::size_t>(code)]);
}

}  // namespace genrec
