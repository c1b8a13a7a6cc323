#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace genrec {

/// One `key = value` of an INI file.
struct IniEntry {
  std::string section;
  std::string name;
  std::string value;
  int line = 0;
};

/// Boost's INI reader knows no line numbers and cuts a value at '#' even when a path holds one, hence this
/// one. Sections in square brackets; comments after '#' or ';' at the start of a line or after a blank; a
/// value in double quotes keeps blanks and comment signs, with \" and \\ inside. Throws MissingInput, or
/// UsageError with FILE:LINE.
std::vector<IniEntry> read_ini(const std::filesystem::path& file);
/// The same of a text; `origin` stands for the file in messages.
std::vector<IniEntry> read_ini_text(const std::string& ini, const std::string& origin);

/// The value as read_ini() reads it back, in quotes where needed.
std::string ini_value(const std::string& value);

}  // namespace genrec
