#include "eval/first_level.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>

#include "eval/code_number.h"

namespace genrec {
namespace {

constexpr std::array<const char*, 9> kBlocks = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

/// A larger number is no place in a codebook that a picture could show.
constexpr std::int64_t kLargestCode = 1 << 20;

/// By symbol of the whole table.
std::vector<std::int64_t> items_by_symbol(const IdentifierTable& table) {
  std::vector<std::int64_t> items(table.symbols().size());
  for (ItemId item = 0; item < table.items(); ++item) {
    ++items[static_cast<std::size_t>(table.of(item).front())];
  }
  return items;
}

}  // namespace

std::int64_t FirstLevel::used() const {
  return std::ranges::count_if(items, [](std::int64_t count) { return count > 0; });
}

std::vector<std::int64_t> FirstLevel::sorted() const {
  std::vector<std::int64_t> counts = items;
  std::ranges::sort(counts, std::greater<>());
  return counts;
}

FirstLevel first_level(const IdentifierTable& table, std::int64_t codes) {
  const std::vector<std::int64_t> by_symbol = items_by_symbol(table);
  FirstLevel level{.items = std::vector<std::int64_t>(static_cast<std::size_t>(codes)), .is_codebook = true};
  for (std::size_t s = 0; s < by_symbol.size(); ++s) {
    if (by_symbol[s] == 0) continue;
    const std::optional<std::int64_t> code = code_number(table.symbols()[s], 0);
    if (!code || *code > kLargestCode) {
      level.is_codebook = false;
      break;
    }
    const auto place = static_cast<std::size_t>(*code);
    if (place >= level.items.size()) level.items.resize(place + 1);
    level.items[place] = by_symbol[s];
  }
  if (level.is_codebook) return level;
  level.items = by_symbol;
  std::erase(level.items, 0);
  return level;
}

std::string bars(std::span<const std::int64_t> counts, std::size_t width) {
  const std::size_t columns = std::min(width, counts.size());
  std::vector<double> means(columns);
  for (std::size_t c = 0; c < columns; ++c) {
    const std::size_t begin = c * counts.size() / columns, end = (c + 1) * counts.size() / columns;
    const auto part = counts.subspan(begin, end - begin);
    means[c] = static_cast<double>(std::reduce(part.begin(), part.end())) / static_cast<double>(part.size());
  }
  const double largest = columns == 0 ? 0 : *std::ranges::max_element(means);
  std::string line;
  for (const double mean : means) {
    const double height = mean > 0 ? std::ceil(8 * mean / largest) : 0;
    line += kBlocks[std::min<std::size_t>(8, static_cast<std::size_t>(height))];
  }
  return line;
}

}  // namespace genrec
