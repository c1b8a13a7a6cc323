#pragma once
#include "tokenizers/identifier_table.h"

namespace genrec {

/// Share of the items whose identifier differs between two tables of the same items, collision-avoidance
/// symbols disregarded (SIIT 4.4, Fig. 2).
[[nodiscard]] double adjustment_ratio(const IdentifierTable& before, const IdentifierTable& after);

}  // namespace genrec
