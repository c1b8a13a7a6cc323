#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tokenizers/identifier_table.h"

namespace genrec {

/// How many items have each code at the first position of their identifiers (LETTER, Fig. 6).
struct FirstLevel {
  std::vector<std::int64_t> items;  ///< by code; by symbol, those in use, where the symbols are no codes
  bool is_codebook = false;         ///< the symbols are "<a_0>", "<a_1>", ...

  [[nodiscard]] std::int64_t used() const;
  /// Most items first.
  [[nodiscard]] std::vector<std::int64_t> sorted() const;
};

/// `codes`: of the codebook; those that no item has are 0. A larger code in the table makes room for itself.
[[nodiscard]] FirstLevel first_level(const IdentifierTable& table, std::int64_t codes);

/// One line of at most `width` blocks of eight heights: means of neighbouring counts over the largest of
/// these means, a dot where all are 0.
[[nodiscard]] std::string bars(std::span<const std::int64_t> counts, std::size_t width = 64);

}  // namespace genrec
