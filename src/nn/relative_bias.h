#pragma once
#include <ATen/ATen.h>

#include <cstdint>

namespace genrec {

/// How T5 puts distances (key minus query) into buckets: small ones have one each, larger ones share
/// logarithmically growing ones, up to max_distance.
struct RelativeBuckets {
  std::int64_t buckets = 32;
  std::int64_t max_distance = 128;
  bool bidirectional = true;

  [[nodiscard]] std::int64_t bucket(std::int64_t distance) const;
};

/// weight [buckets, heads] float32 -> table [heads, 2 * longest - 1]: entry longest - 1 + (key - query) is
/// the bias of that distance.
[[nodiscard]] at::Tensor bias_table(const at::Tensor& weight, const RelativeBuckets& buckets,
                                    std::int64_t longest);
/// dweight [buckets, heads] += the table's gradient.
void add_bias_gradient(const at::Tensor& dtable, const RelativeBuckets& buckets, const at::Tensor& dweight);

}  // namespace genrec
