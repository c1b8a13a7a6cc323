#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace genrec {

/// Objects keep the order of their keys; finding a key is a linear search, so large objects are best walked
/// with items().
using Json = nlohmann::ordered_json;

/// Parses a file in linear time; throws MissingInput, or DataError naming file, line and column (also for a
/// key that occurs twice in an object).
[[nodiscard]] Json read_json(const std::filesystem::path& path);
/// The same of a text; `path`: the file that it is from, for messages.
[[nodiscard]] Json parse_json(std::string_view text, const std::filesystem::path& path);
/// The step of a JSON pointer to the member `key`: "/12"; with '~' and '/' in it escaped.
[[nodiscard]] std::string json_step(std::string_view key);
/// Line of the value that a JSON pointer ("/12/0") names, for messages about its content; 1 when not found.
[[nodiscard]] std::int64_t json_line(const std::filesystem::path& path, const std::string& pointer);
/// Writes atomically with two blanks of indentation and a final newline.
void write_json(const std::filesystem::path& path, const Json& value);

}  // namespace genrec
