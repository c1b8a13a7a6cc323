#include "tokenizers/simple/text_identifiers.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "tokenizers/symbols.h"

namespace genrec {

IdentifierTable table_of_pieces(const std::vector<std::vector<TokenId>>& pieces) {
  TokenId highest = -1;
  for (const auto& identifier : pieces) {
    for (const TokenId piece : identifier) highest = std::max(highest, piece);
  }
  std::vector<SymbolId> number(static_cast<std::size_t>(highest) + 1, -1);
  for (const auto& identifier : pieces) {
    for (const TokenId piece : identifier) number[static_cast<std::size_t>(piece)] = 0;
  }
  std::vector<std::string> symbols;
  for (std::size_t piece = 0; piece < number.size(); ++piece) {
    if (number[piece] < 0) continue;
    number[piece] = static_cast<SymbolId>(symbols.size());
    symbols.push_back(piece_symbol(static_cast<TokenId>(piece)));
  }
  std::vector<std::int64_t> offsets{0};
  std::vector<SymbolId> codes;
  for (const auto& identifier : pieces) {
    for (const TokenId piece : identifier) codes.push_back(number[static_cast<std::size_t>(piece)]);
    offsets.push_back(static_cast<std::int64_t>(codes.size()));
  }
  return {std::move(symbols), std::move(offsets), std::move(codes)};
}

}  // namespace genrec
