#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <mutex>

namespace genrec {

/// How T5 puts distances (key minus query) into buckets: small ones have one each, larger ones share
/// logarithmically growing ones, up to max_distance.
struct RelativeBuckets {
  std::int64_t buckets = 32;
  std::int64_t max_distance = 128;
  bool bidirectional = true;

  [[nodiscard]] std::int64_t bucket(std::int64_t distance) const;
};

/// The buckets of the distances -(longest - 1) .. longest - 1 as an index on a device. Made anew only for
/// longer sequences than any before; threads may share one.
class DistanceIndex {
 public:
  explicit DistanceIndex(const RelativeBuckets& buckets) : buckets_(buckets) {}
  /// [2 * longest - 1] int64.
  [[nodiscard]] at::Tensor of(std::int64_t longest, at::Device device) const;

 private:
  RelativeBuckets buckets_;
  mutable std::mutex mutex_;
  mutable at::Tensor index_;  ///< of the longest sequences so far: its middle serves shorter ones
};

/// weight [buckets, heads] float32 and DistanceIndex::of(longest) -> table [heads, 2 * longest - 1]: entry
/// longest - 1 + (key - query) is the bias of that distance.
[[nodiscard]] at::Tensor bias_table(const at::Tensor& weight, const at::Tensor& index);
/// dweight [buckets, heads] += the table's gradient.
void add_bias_gradient(const at::Tensor& dtable, const at::Tensor& index, const at::Tensor& dweight);

}  // namespace genrec
