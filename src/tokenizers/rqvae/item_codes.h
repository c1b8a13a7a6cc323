#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "tokenizers/identifier_table.h"

namespace genrec {

/// Codes of items on the host, `levels` an item.
struct ItemCodes {
  std::int64_t levels = 0;
  std::vector<std::int32_t> values;  ///< [items, levels]

  [[nodiscard]] std::int64_t items() const {
    return levels == 0 ? 0 : static_cast<std::int64_t>(values.size()) / levels;
  }
  [[nodiscard]] std::span<const std::int32_t> of(ItemId item) const {
    return std::span(values).subspan(static_cast<std::size_t>(item * levels),
                                     static_cast<std::size_t>(levels));
  }
  [[nodiscard]] std::int32_t& last_of(ItemId item) {
    return values[static_cast<std::size_t>((item + 1) * levels - 1)];
  }
};

/// codes [items, levels] int64 on any device.
[[nodiscard]] ItemCodes item_codes(const at::Tensor& codes);
/// Groups of two items or more (ascending) with equal codes, by first item.
[[nodiscard]] std::vector<std::vector<ItemId>> equal_codes(const ItemCodes& codes);
/// (items - distinct) / items.
[[nodiscard]] double collision_rate(const ItemCodes& codes);

/// "<a_12>": level 0 is a. At most 26 levels.
[[nodiscard]] std::string code_symbol(std::int64_t level, std::int64_t code);
/// Symbols by level and code, those in use only.
[[nodiscard]] IdentifierTable identifier_table(const ItemCodes& codes);

}  // namespace genrec
