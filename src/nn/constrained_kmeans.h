#pragma once
#include <ATen/ATen.h>

#include <cstdint>

#include "nn/bounded_assignment.h"
#include "nn/kmeans.h"

namespace genrec {

/// k-means with clusters of bounded size (Bradley, Bennett & Demiriz 2000): kmeans(), but each iteration's
/// assignment is the cheapest one that keeps `sizes` (bounded_assignment). LETTER's tokenizer takes 10
/// iterations and 10 restarts. A cluster may stay empty only where `sizes.min` is 0; it keeps its centre
/// then. Works on the CPU; centres and labels are on the points' device.
///
/// Throws what kmeans() throws, and UsageError when the points cannot keep the bounds.
[[nodiscard]] KMeansResult constrained_kmeans(const at::Tensor& points, const KMeansOptions& options,
                                              const SizeBounds& sizes, std::uint64_t key);

}  // namespace genrec
