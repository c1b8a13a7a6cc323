#include "nn/relative_bias.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "nn/indices.h"

namespace genrec {

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

at::Tensor DistanceIndex::of(std::int64_t longest, at::Device device) const {
  constexpr std::int64_t kAtLeast = 128;  // few models see longer sequences
  const std::lock_guard lock(mutex_);
  if (!index_.defined() || index_.size(0) < 2 * longest - 1 || index_.device() != device) {
    const std::int64_t reach = std::max(longest, kAtLeast);
    std::vector<std::int64_t> numbers;
    for (std::int64_t d = 1 - reach; d < reach; ++d) numbers.push_back(buckets_.bucket(d));
    index_ = index_on(numbers, device);
  }
  const std::int64_t reach = (index_.size(0) + 1) / 2;
  return index_.narrow(0, reach - longest, 2 * longest - 1);
}

at::Tensor bias_table(const at::Tensor& weight, const at::Tensor& index) {
  return weight.index_select(0, index).t().contiguous();
}

void add_bias_gradient(const at::Tensor& dtable, const at::Tensor& index, const at::Tensor& dweight) {
  add_rows(dweight, index, dtable.t());
}

}  // namespace genrec
