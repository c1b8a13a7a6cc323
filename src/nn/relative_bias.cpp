#include "nn/relative_bias.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace genrec {
namespace {

/// [2 * longest - 1] int64 on the host.
at::Tensor bucket_of_distances(const RelativeBuckets& buckets, std::int64_t longest) {
  at::Tensor index = at::empty({2 * longest - 1}, at::kLong);
  auto* out = index.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < 2 * longest - 1; ++i) out[i] = buckets.bucket(i - (longest - 1));
  return index;
}

}  // namespace

std::int64_t RelativeBuckets::bucket(std::int64_t distance) const {
  std::int64_t half = buckets, base = 0;
  if (bidirectional) {
    half /= 2;
    if (distance > 0) base = half;
    distance = std::abs(distance);
  } else {
    distance = std::max<std::int64_t>(-distance, 0);
  }
  const std::int64_t exact = half / 2;
  if (distance < exact) return base + distance;
  // In float32, as Hugging Face computes it: the boundaries must fall on the same side.
  const float ratio =
      std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
      static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
  const auto beyond = static_cast<std::int64_t>(ratio * static_cast<float>(half - exact));
  return base + std::min(exact + beyond, half - 1);
}

at::Tensor bias_table(const at::Tensor& weight, const RelativeBuckets& buckets, std::int64_t longest) {
  const at::Tensor index = bucket_of_distances(buckets, longest).to(weight.device());
  return weight.index_select(0, index).t().contiguous();
}

void add_bias_gradient(const at::Tensor& dtable, const RelativeBuckets& buckets, const at::Tensor& dweight) {
  const std::int64_t longest = (dtable.size(1) + 1) / 2;
  const at::Tensor index = bucket_of_distances(buckets, longest).to(dweight.device());
  dweight.index_add_(0, index, dtable.t());
}

}  // namespace genrec
