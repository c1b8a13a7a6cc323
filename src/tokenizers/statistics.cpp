#include "tokenizers/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace genrec {
namespace {

std::int64_t count_prefixes(const IdentifierTable& table) {
  std::vector<ItemId> order(static_cast<std::size_t>(table.items()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&table](ItemId a, ItemId b) {
    const auto x = table.of(a), y = table.of(b);
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
  });
  // In this order, what an identifier is a prefix of follows it at once, but for its equals.
  std::int64_t prefixes = 0;
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    const auto mine = table.of(order[first]);
    const auto same = [&](std::size_t i) {
      const auto other = table.of(order[i]);
      return std::equal(mine.begin(), mine.end(), other.begin(), other.end());
    };
    while (last < order.size() && same(last)) ++last;
    if (last == order.size()) break;
    const auto next = table.of(order[last]);
    if (next.size() > mine.size() && std::equal(mine.begin(), mine.end(), next.begin())) {
      prefixes += static_cast<std::int64_t>(last - first);
    }
  }
  return prefixes;
}

PositionUse use_of(const std::vector<std::int64_t>& counts) {
  PositionUse use;
  use.items = std::reduce(counts.begin(), counts.end());
  for (const std::int64_t count : counts) {
    if (count == 0) continue;
    ++use.symbols;
    use.most_common = std::max(use.most_common, count);
    const double share = static_cast<double>(count) / static_cast<double>(use.items);
    use.entropy_bits -= share * std::log2(share);
  }
  return use;
}

}  // namespace

IdentifierStatistics statistics_of(const IdentifierTable& table) {
  IdentifierStatistics statistics;
  statistics.items = statistics.distinct = table.items();
  statistics.longest = statistics.shortest = table.max_length();
  statistics.largest_group = std::min<std::int64_t>(1, table.items());
  for (const auto& group : table.collisions()) {
    const auto size = static_cast<std::int64_t>(group.size());
    statistics.distinct -= size - 1;
    statistics.sharing_items += size;
    statistics.largest_group = std::max(statistics.largest_group, size);
  }
  if (table.items() > 0) {
    statistics.collision_rate =
        static_cast<double>(statistics.items - statistics.distinct) / static_cast<double>(statistics.items);
  }
  statistics.prefix_items = count_prefixes(table);
  std::vector<std::vector<std::int64_t>> counts(static_cast<std::size_t>(table.max_length()),
                                                std::vector<std::int64_t>(table.symbols().size(), 0));
  for (ItemId item = 0; item < table.items(); ++item) {
    const auto identifier = table.of(item);
    statistics.shortest = std::min(statistics.shortest, static_cast<std::int64_t>(identifier.size()));
    for (std::size_t p = 0; p < identifier.size(); ++p) ++counts[p][static_cast<std::size_t>(identifier[p])];
  }
  for (const auto& of_position : counts) statistics.positions.push_back(use_of(of_position));
  return statistics;
}

}  // namespace genrec
