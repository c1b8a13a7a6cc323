#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

#include "nn/kernels/kernels.h"

namespace genrec {

/// A tensor's elements as the kernels' type.
template <typename T>
T* elements(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

/// Calls f(T{}) with the kernels' type of the tensor's elements.
template <typename F>
void by_precision(const at::Tensor& tensor, F f) {
  if (tensor.scalar_type() == at::kBFloat16) {
    f(Bf16{});
  } else {
    f(float{});
  }
}

/// f(first row, rows) over pieces of [0, rows); rows of `columns` elements must be independent of each other.
template <typename F>
void parallel_rows(std::int64_t rows, std::int64_t columns, F f) {
  const std::int64_t grain = std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(1, columns));
  at::parallel_for(0, rows, grain, [&](std::int64_t begin, std::int64_t end) { f(begin, end - begin); });
}

/// f(first, count) over pieces of [0, n), all but the last a multiple of `step` long; pieces of less than
/// about a million operations are not worth a thread's start.
template <typename F>
void parallel_steps(std::int64_t n, std::int64_t step, std::int64_t operations_of_step, F f) {
  const std::int64_t grain = 1 + 1'000'000 / std::max<std::int64_t>(1, operations_of_step);
  at::parallel_for(0, (n + step - 1) / step, grain, [&](std::int64_t begin, std::int64_t end) {
    f(begin * step, std::min(end * step, n) - begin * step);
  });
}

}  // namespace genrec
