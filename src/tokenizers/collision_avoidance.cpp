#include "tokenizers/collision_avoidance.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tokenizers/symbols.h"

namespace genrec {

IdentifierTable avoid_collisions(const IdentifierTable& table) {
  std::vector<std::int32_t> place(static_cast<std::size_t>(table.items()), -1);  // in the item's group
  std::int32_t largest = 0;
  for (const std::vector<ItemId>& group : table.collisions()) {
    for (std::size_t j = 0; j < group.size(); ++j) {
      place[static_cast<std::size_t>(group[j])] = static_cast<std::int32_t>(j);
    }
    largest = std::max(largest, static_cast<std::int32_t>(group.size()));
  }
  std::vector<std::string> symbols = table.symbols();
  const auto first = static_cast<SymbolId>(symbols.size());
  for (std::int32_t j = 0; j < largest; ++j) symbols.push_back(avoidance_symbol(j));

  std::vector<std::int64_t> offsets{0};
  std::vector<SymbolId> codes;
  offsets.reserve(place.size() + 1);
  codes.reserve(table.codes().size() + place.size());
  for (ItemId item = 0; item < table.items(); ++item) {
    const auto identifier = table.of(item);
    codes.insert(codes.end(), identifier.begin(), identifier.end());
    const std::int32_t j = place[static_cast<std::size_t>(item)];
    if (j >= 0) codes.push_back(first + j);
    offsets.push_back(static_cast<std::int64_t>(codes.size()));
  }
  return {std::move(symbols), std::move(offsets), std::move(codes)};
}

}  // namespace genrec
