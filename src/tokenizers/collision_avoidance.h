#pragma once
#include "tokenizers/identifier_table.h"

namespace genrec {

/// The table with "<x_0>", "<x_1>", ... behind the identifiers of all items of each group that shares one, by
/// ascending item: SIIT's collision avoidance (method 5.4 #12-#13) for identifiers that no model made. Others
/// stay as they are. The result has no collisions where no symbol of the table is an avoidance symbol.
[[nodiscard]] IdentifierTable avoid_collisions(const IdentifierTable& table);

}  // namespace genrec
