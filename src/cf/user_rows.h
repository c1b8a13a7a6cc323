#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "data/dataset.h"

namespace genrec {

/// The row of a user in this rank's interactions; -1 for another rank's user.
[[nodiscard]] inline std::int64_t row_of(const Interactions& mine, UserId user) {
  const auto found = std::lower_bound(mine.users.begin(), mine.users.end(), user);
  return found != mine.users.end() && *found == user ? found - mine.users.begin() : -1;
}

/// Last items of a history that the training part leaves out: the targets of validation and test.
inline constexpr std::int64_t kHeldOut = 2;

/// The number of items in the training part of a history.
[[nodiscard]] constexpr std::int64_t training_items(std::int64_t length) {
  return length > kHeldOut ? length - kHeldOut : 0;
}

/// A history without its last `held_out` items.
[[nodiscard]] inline std::span<const ItemId> part_without(const Interactions& mine, std::int64_t row,
                                                          std::int64_t held_out) {
  const std::span<const ItemId> all = mine.row(row);
  return all.first(all.size() - std::min(all.size(), static_cast<std::size_t>(held_out)));
}

[[nodiscard]] inline std::span<const ItemId> training_part(const Interactions& mine, std::int64_t row) {
  return part_without(mine, row, kHeldOut);
}

}  // namespace genrec
