#pragma once
#include <string>

namespace genrec {

/// Without blanks at both ends.
inline std::string trimmed(const std::string& text) {
  constexpr const char* kBlanks = " \t\r";
  const auto begin = text.find_first_not_of(kBlanks);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace genrec
