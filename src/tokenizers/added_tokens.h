#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/types.h"

namespace genrec {

/// The file of a Hugging Face folder that names the embedding's rows behind the text pieces:
/// {"<symbol>": row, ...}.
inline constexpr const char* kAddedTokens = "added_tokens.json";

/// Its identifier symbols in the order of their rows, which begin at `text_pieces`. Throws DataError when
/// rows have a gap or are no whole numbers.
[[nodiscard]] std::vector<std::string> read_added_tokens(const std::filesystem::path& path,
                                                         TokenId text_pieces);

}  // namespace genrec
