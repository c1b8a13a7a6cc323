#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace genrec {

/// The code that a symbol of a level (from 0) stands for: 12 of "<b_12>" at level 1. Nothing for a symbol
/// that code_symbol() does not write for that level.
[[nodiscard]] std::optional<std::int64_t> code_number(const std::string& symbol, std::int64_t level);

}  // namespace genrec
