#include "model/decoder_state.h"

#include <algorithm>

namespace genrec {

void DecoderState::extend_paths(std::span<const std::int32_t> parents, std::int64_t rows) {
  const std::int64_t before = steps++;
  std::vector<std::int32_t> extended(static_cast<std::size_t>(rows * steps));
  for (std::int64_t row = 0; row < rows; ++row) {
    auto out = extended.begin() + row * steps;
    if (before > 0) {
      const std::int64_t parent = parents[static_cast<std::size_t>(row)];
      out = std::copy_n(paths.begin() + parent * before, before, out);
    }
    *out = static_cast<std::int32_t>(row);
  }
  paths = std::move(extended);
}

}  // namespace genrec
