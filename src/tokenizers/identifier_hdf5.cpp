#include "tokenizers/identifier_hdf5.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/error.h"

namespace genrec {
namespace {

constexpr const char* kCodes = "/identifiers";
constexpr const char* kLengths = "/identifier_lengths";
constexpr const char* kSymbols = "/symbols";

[[noreturn]] void fail(const Hdf5Reader& file, const std::string& object, const std::string& what) {
  throw DataError(file.path().string() + ", object " + object + ": " + what +
                  "; take another file, or make it again");
}

}  // namespace

void write_identifiers(Hdf5Writer& file, const std::string& group, const IdentifierTable& table) {
  std::vector<std::int32_t> lengths(static_cast<std::size_t>(table.items()));
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    lengths[i] = static_cast<std::int32_t>(table.offsets()[i + 1] - table.offsets()[i]);
  }
  file.write(group + kCodes, table.codes());
  file.write(group + kLengths, lengths);
  file.write_strings(group + kSymbols, table.symbols());
}

IdentifierTable read_identifiers(const Hdf5Reader& file, const std::string& group) {
  const auto lengths = file.read<std::int32_t>(group + kLengths);
  std::vector<std::int64_t> offsets{0};
  offsets.reserve(lengths.size() + 1);
  for (const std::int32_t length : lengths) offsets.push_back(offsets.back() + length);
  auto codes = file.read<SymbolId>(group + kCodes);
  if (offsets.back() != static_cast<std::int64_t>(codes.size())) {
    fail(file, group + kLengths,
         "the lengths add up to " + std::to_string(offsets.back()) + ", but the identifiers have " +
             std::to_string(codes.size()) + " symbols");
  }
  std::vector<std::string> symbols = file.read_strings(group + kSymbols);
  if (!std::all_of(symbols.begin(), symbols.end(), is_symbol)) {
    fail(file, group + kSymbols, "a symbol is empty or holds a control character");
  }
  try {
    return {std::move(symbols), std::move(offsets), std::move(codes)};
  } catch (const Error& error) {
    fail(file, group + kCodes, error.what());
  }
}

}  // namespace genrec
