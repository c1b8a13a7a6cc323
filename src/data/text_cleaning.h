#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace genrec {

/// Texts of at least this many characters are replaced by "" (LC-Rec's preparation).
inline constexpr std::int64_t kLongestText = 2000;

/// A title or description as the model gets it: HTML entities resolved, tags and double quotes removed,
/// newlines made blanks, blanks at both ends removed, dots at the end folded to one, and "" for texts of
/// kLongestText characters or more. `text` is UTF-8.
[[nodiscard]] std::string clean_text(std::string_view text);

/// The reverse for a result of clean_text: a text that clean_text turns into `clean`; mostly `clean` itself.
[[nodiscard]] std::string uncleaned_text(std::string_view clean);

}  // namespace genrec
