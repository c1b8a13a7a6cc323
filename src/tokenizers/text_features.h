#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace genrec {

/// One sparse row of numbers an item (CSR).
struct SparseFeatures {
  std::vector<std::int64_t> offsets{0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  std::int32_t dimensions = 0;
  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
};

/// TF-IDF of lower-cased words (runs of ASCII letters, digits and all non-ASCII characters), rows of length
/// 1: count * (ln((1 + texts) / (1 + texts with the word)) + 1). A text without words has an empty row.
[[nodiscard]] SparseFeatures tfidf(std::span<const std::string> texts);

}  // namespace genrec
