#include "tokenizers/symbols.h"

#include <charconv>
#include <system_error>

namespace genrec {
namespace {

constexpr std::string_view kPieceBegin = "<piece_";

std::string numbered(std::string_view begin, std::int32_t number) {
  std::string symbol(begin);
  return symbol.append(std::to_string(number)).append(">");
}

}  // namespace

std::string symbol_family(const std::string& symbol) {
  std::size_t end = 1;
  while (end < symbol.size() &&
         ((symbol[end] >= 'a' && symbol[end] <= 'z') || (symbol[end] >= 'A' && symbol[end] <= 'Z')))
    ++end;
  if (symbol.empty() || symbol.front() != '<' || end == 1) return symbol;
  return symbol.substr(1, end - 1);
}

std::string avoidance_symbol(std::int32_t number) {
  return numbered("<x_", number);
}

std::string piece_symbol(TokenId piece) {
  return numbered(kPieceBegin, piece);
}

std::optional<TokenId> piece_of(std::string_view symbol) {
  if (!symbol.starts_with(kPieceBegin) || !symbol.ends_with('>')) return std::nullopt;
  const std::string_view digits = symbol.substr(kPieceBegin.size(), symbol.size() - kPieceBegin.size() - 1);
  TokenId piece = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), piece);
  if (failure != std::errc() || end != digits.data() + digits.size() || piece <= kEndToken) {
    return std::nullopt;
  }
  // One symbol a piece: "<piece_007>" is none.
  if (digits.front() == '0') return std::nullopt;
  return piece;
}

}  // namespace genrec
