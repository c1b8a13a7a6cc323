#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "base/random.h"
#include "nn/kmeans.h"

namespace genrec {

// What plain and constrained k-means share. Points are [n, d] float32, centres [k, d] float32, labels [n]
// int64.

/// Rows that are worked on at a time, where each brings `width` numbers.
[[nodiscard]] std::int64_t rows_of_block(std::int64_t width);
/// Places of the rows that equal none before them, in their order; no more than `limit`.
[[nodiscard]] std::vector<std::int64_t> distinct_rows(const at::Tensor& points, std::int64_t limit);

/// Throws as kmeans() says; returns KMeansResult::distinct.
std::int64_t require_points(const at::Tensor& points, const KMeansOptions& options);

/// [d] float32.
[[nodiscard]] at::Tensor column_means(const at::Tensor& points);

/// Squared distances to one point [1, d]: [n] float32, exactly 0 for an equal point.
[[nodiscard]] at::Tensor squared_distances(const at::Tensor& points, const at::Tensor& point);
/// The same to each point's own centre, [n] float64.
[[nodiscard]] at::Tensor squared_distances_to_own(const at::Tensor& points, const at::Tensor& centres,
                                                  const at::Tensor& labels);

/// k-means++ seeds: the first is any point, each further one is drawn in proportion to its squared distance
/// to the nearest seed.
[[nodiscard]] at::Tensor plus_plus_seeds(const at::Tensor& points, std::int64_t clusters,
                                         RandomStream& random);

struct ClusterSums {
  at::Tensor sums;    ///< [k, d] float64
  at::Tensor counts;  ///< [k] int64
};
[[nodiscard]] ClusterSums cluster_sums(const at::Tensor& points, const at::Tensor& labels,
                                       std::int64_t clusters);
/// The same by matrix products, for devices whose memory the host cannot read.
[[nodiscard]] ClusterSums cluster_sums_by_product(const at::Tensor& points, const at::Tensor& labels,
                                                  std::int64_t clusters);

/// Gives every empty cluster the point that is farthest from its centre and from the points given before;
/// a cluster's only point stays. Changes labels and sums; none is given where all distances are 0.
void refill_empty_clusters(const at::Tensor& points, const at::Tensor& centres, const at::Tensor& labels,
                           const ClusterSums& sums);

/// Fresh labels of all points for these centres.
using ClusterAssigner = std::function<at::Tensor(const at::Tensor& centres)>;

/// Runs Lloyd's iterations from `restarts` sets of seeds, each with an assigner of its own, and keeps the run
/// of least inertia (the first of equals). On the CPU threads share the runs: make_assigner and the assigners
/// are called at the same time. `distinct` is left 0.
[[nodiscard]] KMeansResult best_of_restarts(const at::Tensor& points, const KMeansOptions& options,
                                            std::uint64_t key,
                                            const std::function<ClusterAssigner()>& make_assigner,
                                            bool refills_empty);

}  // namespace genrec
