#include "tokenizers/added_tokens.h"

#include <map>

#include "base/error.h"
#include "io/json_file.h"

namespace genrec {

std::vector<std::string> read_added_tokens(const std::filesystem::path& path, TokenId text_pieces) {
  const Json root = read_json(path);
  if (!root.is_object()) throw DataError(path.string() + ": expected one object {\"<symbol>\": row, ...}");
  std::map<std::int64_t, std::string> by_row;
  for (const auto& [symbol, row] : root.items()) {
    if (symbol.starts_with("<extra_id_")) continue;  // T5's sentinels count as text pieces here
    if (!row.is_number_integer() || !by_row.emplace(row.get<std::int64_t>(), symbol).second) {
      throw DataError(path.string() + ": \"" + symbol + "\" has the row " + row.dump() +
                      "; expected a whole number that no other symbol has");
    }
  }
  std::vector<std::string> symbols;
  std::int64_t expected = text_pieces;
  for (const auto& [row, symbol] : by_row) {
    if (row != expected) {
      throw DataError(path.string() + ": \"" + symbol + "\" has the row " + std::to_string(row) +
                      "; expected " + std::to_string(expected) + ", as rows follow the " +
                      std::to_string(text_pieces) +
                      " text pieces without a gap: take all files of one export");
    }
    symbols.push_back(symbol);
    ++expected;
  }
  return symbols;
}

}  // namespace genrec
