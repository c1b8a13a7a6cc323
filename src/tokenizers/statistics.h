#pragma once
#include <cstdint>
#include <vector>

#include "tokenizers/identifier_table.h"

namespace genrec {

/// How the symbols at one position of the identifiers are used.
struct PositionUse {
  std::int64_t items = 0;        ///< identifiers that reach this position
  std::int64_t symbols = 0;      ///< different symbols there
  std::int64_t most_common = 0;  ///< items with the most common one
  double entropy_bits = 0;       ///< of the symbols there
};

/// What `inspect` says of an identifier table.
struct IdentifierStatistics {
  std::int64_t items = 0, distinct = 0;
  double collision_rate = 0;       ///< (items - distinct) / items
  std::int64_t sharing_items = 0;  ///< items whose identifier others have too
  std::int64_t largest_group = 0;  ///< items with one identifier; 1 without collisions
  std::int64_t shortest = 0, longest = 0;
  std::int64_t prefix_items = 0;  ///< items whose identifier is a proper prefix of another one
  std::vector<PositionUse> positions;
};

[[nodiscard]] IdentifierStatistics statistics_of(const IdentifierTable& table);

}  // namespace genrec
