#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tokenizers/rqvae/rqvae_options.h"

namespace genrec {

/// How codebooks were made from data.
struct CodebookStart {
  at::Tensor codebooks;            ///< [levels, codes, dim] float32 on the host
  std::vector<std::string> notes;  ///< what was done otherwise than asked for, a sentence each
};

/// Bounds of the clusters of LETTER's start: at least half an even share, but no more than 50 rows, and at
/// most 4 times that; where that cannot hold all rows, twice an even share.
struct StartBounds {
  std::int64_t size_min = 0, size_max = 0;
  bool operator==(const StartBounds&) const = default;
};
[[nodiscard]] StartBounds start_bounds(std::int64_t rows, std::int64_t codes);

/// Rows beyond which constrained k-means starts from a sample: 100 a code, fewer beyond 819 codes.
[[nodiscard]] std::int64_t most_constrained_rows(std::int64_t codes);

/// Codebooks by k-means, plain or (options.init) constrained, of `points` [rows, dim] (float32, host), level
/// by level on what the nearest codes of the levels before leave. Where a level is given no more distinct
/// rows than it has codes, these are codes themselves, and the others random numbers around them: of the
/// rows' spread, at later levels at least 0.3 times that of the level before, so that no two codes are equal.
/// Repairs with a note: fewer distinct rows than codes at the first level; too few rows for bounds on cluster
/// sizes, which are clustered without.
[[nodiscard]] CodebookStart start_codebooks(const at::Tensor& points, const RqvaeOptions& options);

}  // namespace genrec
