#pragma once
#include <cstdint>

#include "base/random.h"

namespace genrec {

/// A row of normal numbers from the stream (seed, kInitialisation, table, id): who holds the row, and beside
/// which others, does not change it.
inline void draw_row(float* row, std::int64_t width, double deviation, std::uint64_t seed,
                     std::uint64_t table, std::uint64_t id) {
  RandomStream stream(seed, Purpose::kInitialisation, {table, id});
  for (std::int64_t j = 0; j < width; ++j) row[j] = static_cast<float>(deviation * stream.normal());
}

}  // namespace genrec
