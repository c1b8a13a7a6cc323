#pragma once
#include <ATen/ATen.h>

#include <cstdint>

namespace genrec {

struct KMeansOptions {
  std::int64_t clusters = 256;
  std::int64_t max_iterations = 100;
  std::int64_t restarts = 1;  ///< runs from other seeds; the one of least inertia counts
  /// A run ends when the squared moves of all centres sum to this times the points' mean variance (or when no
  /// point changed its cluster).
  double tolerance = 1e-4;
};

struct KMeansResult {
  at::Tensor centres;           ///< [clusters, d] float32, on the points' device
  at::Tensor labels;            ///< [n] int64, likewise: each point's cluster with respect to `centres`
  double inertia = 0;           ///< sum of the points' squared distances to their centres
  std::int64_t iterations = 0;  ///< of the best run
  /// Distinct points, counted no further than to `clusters`. Fewer than that: the surplus clusters stay
  /// empty, and their centres repeat points.
  std::int64_t distinct = 0;
};

/// Lloyd's k-means from k-means++ seeds (Arthur & Vassilvitskii 2007) on points [n, d] float32. A cluster
/// that becomes empty gets the point that is farthest from its centre. A function of the points and `key` (a
/// key of base/random.h). Beside the points, memory holds a few numbers a point and bounded blocks.
///
/// Throws DataError, with the counts, for fewer points than clusters and for NaN or infinity; UsageError for
/// options below 1.
[[nodiscard]] KMeansResult kmeans(const at::Tensor& points, const KMeansOptions& options, std::uint64_t key);

}  // namespace genrec
