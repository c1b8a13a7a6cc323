#include "eval/code_number.h"

#include <charconv>
#include <system_error>

#include "tokenizers/rqvae/item_codes.h"

namespace genrec {

std::optional<std::int64_t> code_number(const std::string& symbol, std::int64_t level) {
  const std::size_t begin = symbol.find('_');
  if (begin == std::string::npos) return std::nullopt;
  std::int64_t code = -1;
  const auto failure = std::from_chars(symbol.data() + begin + 1, symbol.data() + symbol.size(), code).ec;
  // Another letter, a sign, leading zeros or a tail: what is written back tells.
  if (failure != std::errc() || code < 0 || code_symbol(level, code) != symbol) return std::nullopt;
  return code;
}

}  // namespace genrec
