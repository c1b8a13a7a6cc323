#pragma once
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/random.h"
#include "base/types.h"

namespace genrec {

/// An item drawn uniformly among those that are not in `seen`. Whoever has seen nearly everything gets the
/// last of 100 draws, whatever it is.
[[nodiscard]] inline ItemId draw_negative(RandomStream& stream, std::int64_t items,
                                          std::span<const ItemId> seen) {
  constexpr int kDraws = 100;
  ItemId item = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    item = static_cast<ItemId>(stream.below(static_cast<std::uint64_t>(items)));
    if (std::find(seen.begin(), seen.end(), item) == seen.end()) break;
  }
  return item;
}

}  // namespace genrec
