#pragma once
#include <cstdint>
#include <vector>

#include "base/progress.h"
#include "tokenizers/text_features.h"

namespace genrec {

struct TruncatedSvdOptions {
  std::int32_t width = 384;           ///< singular vectors asked for
  std::int32_t oversampling = 32;     ///< more directions that are iterated, and dropped at the end
  std::int32_t power_iterations = 5;  ///< multiplications of the subspace by A^T A
  std::uint64_t seed = 42;            ///< of the subspace at the start
};

/// The leading part of A = U S V^T.
struct TruncatedSvd {
  std::vector<double> singular_values;  ///< descending; fewer than `width` where the rank of A is less
  std::vector<float> projections;       ///< U S = A V, [rows of A, width] row-major; 0 past the rank
  std::int32_t width = 0;
};

/// Randomised subspace iteration on A^T A with a Rayleigh-Ritz step at the end (Halko, Martinsson, Tropp
/// 2011, sections 4.5 and 5): exact to rounding where m = width + oversampling reaches a side of A (and there
/// is an iteration); else the square of singular value k comes out too small by a part of about
/// (s_(m+1) / s_k)^(4 power_iterations), never too large. In each direction the column with the largest
/// weight has a positive one. The same result at any number of threads. Time: (power_iterations + 2) times
/// 4 nnz m + 2 columns m^2 operations and some more; memory beside the result: three matrices [columns, m] of
/// doubles (five where columns depend on each other), none of [rows, m]. `progress` may be null.
[[nodiscard]] TruncatedSvd truncated_svd(const SparseFeatures& features, const TruncatedSvdOptions& options,
                                         Progress* progress = nullptr);

}  // namespace genrec
