#pragma once
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>

#include "nn/packed.h"

namespace genrec {

/// Numbers as an int64 tensor on the device. To a GPU they go through pinned memory: the host does not wait.
template <typename Numbers>
[[nodiscard]] at::Tensor index_on(const Numbers& numbers, at::Device device) {
  const bool gpu = device.is_cuda();
  at::Tensor host = at::empty({static_cast<std::int64_t>(numbers.size())},
                              at::TensorOptions().dtype(at::kLong).pinned_memory(gpu));
  std::copy(numbers.begin(), numbers.end(), host.data_ptr<std::int64_t>());
  return host.to(device, /*non_blocking=*/gpu);
}

/// total[index[i]] += rows[i]; places may repeat. On a GPU index_add_ adds atomically, so that no two runs
/// round alike; index_put_ sorts first. Without its check of the range, which waits for the device.
inline void add_rows(at::Tensor total, const at::Tensor& index, const at::Tensor& rows) {
  if (uses_kernels(total)) {
    total.index_add_(0, index, rows);
  } else {
    at::_index_put_impl_(total, {index}, rows, /*accumulate=*/true, /*unsafe=*/true);
  }
}

}  // namespace genrec
