#include "tokenizers/simple/first_appearance.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>

namespace genrec {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

/// Larger for an earlier place: ranks join by the maximum. Users and positions have 31 bits.
std::int64_t place_of(bool held_out, UserId user, std::int64_t position) {
  return -((std::int64_t{held_out ? 1 : 0} << 62) | (std::int64_t{user} << 31) | position);
}

}  // namespace

std::vector<ItemId> order_of_first_appearance(const Dataset& dataset, Communicator& world) {
  std::vector<std::int64_t> first(static_cast<std::size_t>(dataset.items()), kNever);
  const Interactions& mine = dataset.interactions;
  for (std::int64_t row = 0; row < mine.rows(); ++row) {
    const auto history = mine.row(row);
    const auto length = static_cast<std::int64_t>(history.size());
    for (std::int64_t position = 0; position < length; ++position) {
      auto& best = first[static_cast<std::size_t>(history[static_cast<std::size_t>(position)])];
      best = std::max(best,
                      place_of(position + 2 >= length, mine.users[static_cast<std::size_t>(row)], position));
    }
  }
  world.all_reduce_max(std::span<std::int64_t>(first));
  std::vector<ItemId> order(first.size());
  std::iota(order.begin(), order.end(), ItemId{0});
  std::stable_sort(order.begin(), order.end(), [&first](ItemId a, ItemId b) {
    return first[static_cast<std::size_t>(a)] > first[static_cast<std::size_t>(b)];
  });
  return order;
}

}  // namespace genrec
