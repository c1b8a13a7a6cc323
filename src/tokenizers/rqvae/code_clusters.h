#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace genrec {

/// Bounds of the clusters of codes: `clusters` of `size_min` .. `size_max` codes.
struct ClusterBounds {
  std::int64_t clusters = 0, size_min = 0, size_max = 0;
  bool operator==(const ClusterBounds&) const = default;
};
/// LETTER's: at least half an even share, but no more than 10, and at most 6 times that (256 codes in 10
/// clusters: 10 to 60). For few or many codes they are widened until they can be met and every code has
/// another one in its cluster: at most codes / 2 clusters, of at least 2, and at most twice an even share
/// where that is more.
[[nodiscard]] ClusterBounds cluster_bounds(std::int64_t codes, std::int64_t clusters);

/// The clusters of the codes of each level, from which the diversity loss draws its positives.
class CodeClusters {
 public:
  /// `labels` [levels, codes] int64 on the host: the cluster of every code, at least 2 codes each. Draws
  /// will be made on `device`.
  CodeClusters(const at::Tensor& labels, at::Device device);
  /// For every code another one of the same cluster, evenly drawn: codes [n, levels] int64 on the device,
  /// `uniform` [n, levels] float64 in [0, 1) likewise -> [n, levels].
  [[nodiscard]] at::Tensor positives(const at::Tensor& codes, const at::Tensor& uniform) const;
  [[nodiscard]] const at::Tensor& labels() const { return labels_; }

 private:
  at::Tensor labels_;
  at::Tensor sorted_;  ///< [levels * codes]: a level's codes, cluster by cluster
  at::Tensor begin_;   ///< [levels * codes]: where in sorted_ the cluster of a code begins
  at::Tensor others_;  ///< [levels * codes] float64: codes in the cluster of a code, but itself
  at::Tensor place_;   ///< [levels * codes]: the code's place in its cluster
  at::Tensor levels_;  ///< [levels]: first flat number of each level
};

/// Clusters the codes of every level, [levels, codes, dim], by k-means with bounded sizes: the best of 10
/// starts of at most 10 iterations, as LETTER does. `key` names the draws.
[[nodiscard]] at::Tensor cluster_codes(const at::Tensor& codebooks, std::int64_t clusters, std::uint64_t key);

/// Numbers in [0, 1) for the rows' draws, [rows, levels] float64 on the host: functions of the key and of the
/// item.
[[nodiscard]] at::Tensor positive_draws(const std::vector<std::int64_t>& items, std::int64_t levels,
                                        std::uint64_t key);

}  // namespace genrec
