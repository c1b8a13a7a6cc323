#pragma once
#include <cstdint>

namespace genrec {

/// Half-open range of indices.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  [[nodiscard]] constexpr std::int64_t size() const { return end - begin; }
  constexpr bool operator==(const Range&) const = default;
};

/// Part `part` of `parts` nearly equal contiguous parts of [0, n).
constexpr Range even_part(std::int64_t n, std::int64_t part, std::int64_t parts) {
  return {n * part / parts, n * (part + 1) / parts};
}

}  // namespace genrec
