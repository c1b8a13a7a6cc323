#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/files.h"
#include "io/json_file.h"
#include "tokenizers/identifier_table.h"

namespace genrec {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& pointer,
                       const std::string& what) {
  throw DataError(path.string() + ": line " + std::to_string(json_line(path, pointer)) + ": " + what);
}

/// For a file that may not be one of identifiers at all.
constexpr const char* kRemedy =
    "; correct it, or give an identifier table (NAME.index.json; the tokenize command makes one)";

/// On one line whatever is in it.
std::string one_line(const Json& value) {
  return value.dump(-1, ' ', true);
}

std::string found(const Json& value) {
  if (value.is_array()) return "an empty list";
  return std::string("a value of type ") + value.type_name();
}

/// The row that a key names, or -1.
std::int64_t row_of(std::string_view key, std::int64_t items) {
  std::int64_t row = 0;
  const auto [end, failure] = std::from_chars(key.data(), key.data() + key.size(), row);
  const bool plain = failure == std::errc() && end == key.data() + key.size() && std::to_string(row) == key;
  return plain && row >= 0 && row < items ? row : -1;
}

}  // namespace

IdentifierTable read_index_json(const std::filesystem::path& path, std::int64_t items) {
  const Json root = read_json(path);
  if (!root.is_object())
    fail(path, "", std::string("expected one object {\"item\": [\"symbol\", ...]}") + kRemedy);
  const std::string range = "the dataset has the items 0 to " + std::to_string(items - 1);
  std::vector<std::vector<std::string>> identifiers(static_cast<std::size_t>(items));
  for (const auto& [key, value] : root.items()) {
    const std::int64_t row = row_of(key, items);
    if (row < 0) fail(path, json_step(key), "item " + one_line(key) + ": " + range + kRemedy);
    if (!value.is_array() || value.empty()) {
      fail(path, json_step(key),
           "item " + key + ": expected a list of symbols such as [\"<a_1>\", \"<b_2>\"], found " +
               found(value) + kRemedy);
    }
    auto& identifier = identifiers[static_cast<std::size_t>(row)];
    for (std::size_t position = 0; position < value.size(); ++position) {
      const Json& symbol = value[position];
      if (!symbol.is_string() || !is_symbol(symbol.get_ref<const std::string&>())) {
        fail(path, json_step(key).append("/").append(std::to_string(position)),
             "item " + key + ", symbol " + one_line(symbol) +
                 ": expected a text without control characters, such as \"<a_12>\"" + kRemedy);
      }
      identifier.push_back(symbol.get<std::string>());
    }
  }
  for (std::size_t item = 0; item < identifiers.size(); ++item) {
    if (identifiers[item].empty()) {
      const auto present = std::to_string(root.size());
      fail(path, "",
           "item " + std::to_string(item) + " has no identifier (the file has " + present + ", " + range +
               "); add it, or make a table with the tokenize command");
    }
  }
  return IdentifierTable::from_strings(identifiers);
}

void write_index_json(const std::filesystem::path& path, const IdentifierTable& table) {
  std::vector<std::string> quoted;
  for (const std::string& symbol : table.symbols()) quoted.push_back(Json(symbol).dump());
  std::string text = "{";
  for (ItemId item = 0; item < table.items(); ++item) {
    text += item == 0 ? "\n\"" : ",\n\"";
    text.append(std::to_string(item)).append("\": [");
    bool first = true;
    for (const SymbolId code : table.of(item)) {
      if (!first) text += ", ";
      first = false;
      text += quoted[static_cast<std::size_t>(code)];
    }
    text += "]";
  }
  write_file_atomically(path, text + "\n}\n");
}

}  // namespace genrec
