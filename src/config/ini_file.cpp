#include "config/ini_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "base/error.h"
#include "config/trimmed.h"

namespace genrec {
namespace {

constexpr const char* kBlank = " \t\r";

bool is_blank(char c) {
  return std::strchr(kBlank, c) != nullptr;
}

std::string without_comment(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] == '#' || text[i] == ';') && (i == 0 || is_blank(text[i - 1]))) return text.substr(0, i);
  }
  return text;
}

/// The inside of the quotes that `text` starts with; false when they do not close or something follows.
bool unquote(const std::string& text, std::string& value) {
  value.clear();
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    value += text[i];
  }
  if (i == text.size()) return false;
  return trimmed(without_comment(text.substr(i + 1))).empty();
}

}  // namespace

std::vector<IniEntry> read_ini(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream || std::filesystem::is_directory(file)) {
    throw MissingInput("configuration file " + file.string() +
                       " cannot be read: " + (stream ? "it is a folder" : std::strerror(errno)));
  }
  std::ostringstream text;
  text << stream.rdbuf();
  return read_ini_text(text.str(), file.string());
}

std::vector<IniEntry> read_ini_text(const std::string& ini, const std::string& origin) {
  std::istringstream stream(ini);
  std::vector<IniEntry> entries;
  std::map<std::string, int> seen;
  std::string section, line;
  for (int number = 1; std::getline(stream, line); ++number) {
    const std::string where = origin + ":" + std::to_string(number);
    const std::string text = trimmed(line);
    if (text.empty() || text[0] == '#' || text[0] == ';') continue;
    if (text[0] == '[') {
      const std::string header = trimmed(without_comment(text));
      section = header.size() > 2 && header.back() == ']' ? trimmed(header.substr(1, header.size() - 2)) : "";
      if (section.empty()) throw UsageError(where + ": '" + text + "': expected [section]");
      continue;
    }
    const auto equals = text.find('=');
    const std::string name = trimmed(text.substr(0, equals));
    if (equals == std::string::npos || name.empty()) {
      throw UsageError(where + ": '" + text + "': expected key = value or [section]");
    }
    std::string value = trimmed(text.substr(equals + 1));
    if (!value.empty() && value[0] == '"') {
      if (std::string inside; unquote(value, inside)) {
        value = inside;
      } else {
        throw UsageError(where + ": " + value + ": the double quote does not end the value");
      }
    } else {
      // The blank tells a comment from the '#' of an empty value "key = # note".
      value = trimmed(without_comment(" " + value));
    }
    const auto [before, is_new] = seen.emplace(section + "." + name, number);
    if (!is_new) {
      throw UsageError(where + ": " + name + " is already in line " + std::to_string(before->second) +
                       "; keep one of them");
    }
    entries.push_back({section, name, value, number});
  }
  return entries;
}

std::string ini_value(const std::string& value) {
  const bool is_plain =
      trimmed(value) == value && value.find_first_of("#;") == std::string::npos && !value.starts_with('"');
  if (is_plain) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace genrec
