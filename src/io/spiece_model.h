#pragma once
#include <string>
#include <string_view>

namespace genrec {

/// The normalizer's character map in a SentencePiece model file (a protocol buffer), "" when it has none; the
/// library does not give it out. Throws DataError when `bytes` are no such file.
[[nodiscard]] std::string spiece_character_map(std::string_view bytes);

}  // namespace genrec
