#pragma once
#include <vector>

#include "base/types.h"
#include "tokenizers/identifier_table.h"

namespace genrec {

/// The table in which item i is written in the text pieces pieces[i] (at least one, all above the end token);
/// symbols by piece.
[[nodiscard]] IdentifierTable table_of_pieces(const std::vector<std::vector<TokenId>>& pieces);

}  // namespace genrec
