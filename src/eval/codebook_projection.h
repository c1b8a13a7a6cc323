#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace genrec {

/// Code vectors seen in three dimensions (LETTER, Fig. 7).
struct CodebookProjection {
  std::vector<std::array<double, 3>> points;  ///< a code each
  std::array<double, 3> variance_share{};     ///< of each axis in the variance of the codes
};

/// Principal components of `vectors` [codes, dim] around their mean, every code with the same weight. Axes
/// beyond `dim` are 0; on each axis the dimension with the largest weight has a positive one. Throws
/// DataError for numbers that are not finite.
[[nodiscard]] CodebookProjection project_codebook(std::span<const float> vectors, std::int64_t dim);

}  // namespace genrec
