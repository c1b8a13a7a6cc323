#include "tokenizers/rqvae/item_codes.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace genrec {

ItemCodes item_codes(const at::Tensor& codes) {
  const at::Tensor host = codes.to(at::kCPU).to(at::kInt).contiguous();
  const auto* first = host.const_data_ptr<std::int32_t>();
  return {host.size(1), std::vector<std::int32_t>(first, first + host.numel())};
}

std::vector<std::vector<ItemId>> equal_codes(const ItemCodes& codes) {
  std::vector<ItemId> order(static_cast<std::size_t>(codes.items()));
  std::iota(order.begin(), order.end(), ItemId{0});
  std::sort(order.begin(), order.end(), [&codes](ItemId a, ItemId b) {
    const auto x = codes.of(a), y = codes.of(b);
    const auto [i, j] = std::mismatch(x.begin(), x.end(), y.begin());
    return i == x.end() ? a < b : *i < *j;
  });
  std::vector<std::vector<ItemId>> groups;
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    const auto mine = codes.of(order[first]);
    for (last = first + 1; last < order.size(); ++last) {
      if (!std::ranges::equal(mine, codes.of(order[last]))) break;
    }
    if (last - first < 2) continue;
    groups.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(first),
                        order.begin() + static_cast<std::ptrdiff_t>(last));
  }
  std::sort(groups.begin(), groups.end());
  return groups;
}

double collision_rate(const ItemCodes& codes) {
  std::size_t excess = 0;
  for (const auto& group : equal_codes(codes)) excess += group.size() - 1;
  return codes.items() == 0 ? 0 : static_cast<double>(excess) / static_cast<double>(codes.items());
}

std::string code_symbol(std::int64_t level, std::int64_t code) {
  std::string symbol("<");
  symbol += static_cast<char>('a' + level);
  symbol.append("_").append(std::to_string(code));
  return symbol.append(">");
}

IdentifierTable identifier_table(const ItemCodes& codes) {
  if (codes.levels > 26)
    throw Error(ExitCode::kInternal, "identifiers of more than 26 levels have no letters");
  // One past the largest code of each level, then the numbers of the codes in use.
  std::vector<std::vector<SymbolId>> number(static_cast<std::size_t>(codes.levels));
  for (ItemId item = 0; item < codes.items(); ++item) {
    const auto row = codes.of(item);
    for (std::size_t level = 0; level < row.size(); ++level) {
      const auto code = static_cast<std::size_t>(row[level]);
      if (code >= number[level].size()) number[level].resize(code + 1, -1);
      number[level][code] = 0;
    }
  }
  std::vector<std::string> symbols;
  for (std::size_t level = 0; level < number.size(); ++level) {
    for (std::size_t code = 0; code < number[level].size(); ++code) {
      if (number[level][code] < 0) continue;
      number[level][code] = static_cast<SymbolId>(symbols.size());
      symbols.push_back(code_symbol(static_cast<std::int64_t>(level), static_cast<std::int64_t>(code)));
    }
  }
  std::vector<std::int64_t> offsets = {0};
  std::vector<SymbolId> numbers;
  offsets.reserve(static_cast<std::size_t>(codes.items()) + 1);
  numbers.reserve(codes.values.size());
  for (ItemId item = 0; item < codes.items(); ++item) {
    const auto row = codes.of(item);
    for (std::size_t level = 0; level < row.size(); ++level) {
      numbers.push_back(number[level][static_cast<std::size_t>(row[level])]);
    }
    offsets.push_back(static_cast<std::int64_t>(numbers.size()));
  }
  return {std::move(symbols), std::move(offsets), std::move(numbers)};
}

}  // namespace genrec
