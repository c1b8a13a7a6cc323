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

}  // namespace genrec
