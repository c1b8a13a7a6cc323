#include "nn/kernels/rows.h"

namespace genrec::GENREC_ISA {

template <typename T>
float row_maximum(const T* row, std::int64_t n) {
  V best = splat(-3.0e38f), other = best;
  std::int64_t j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
    best = maximum(best, load(row + j));
    other = maximum(other, load(row + j + kLanes));
  }
  for (; j < n; j += kLanes) best = maximum(best, first(load(row + j, n - j), n - j, -3.0e38f));
  return largest(maximum(best, other));
}

/// Sum of exp(factor * (row - top)).
template <typename T>
float exponential_sum(const T* row, std::int64_t n, float factor, float top) {
  V total{}, other{};
  const V f = splat(factor), shift = splat(-factor * top);
  std::int64_t j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
    total += exponential(load(row + j) * f + shift);
    other += exponential(load(row + j + kLanes) * f + shift);
  }
  for (; j < n; j += kLanes) {
    total += first(exponential(load(row + j, n - j) * f + shift), n - j, 0.0f);
  }
  return sum(total + other);
}

template <typename T>
void sum_exponentials(const T* row, std::int64_t n, float factor, float* maximum, float* sum) {
  *maximum = row_maximum(row, n);
  *sum = exponential_sum(row, n, factor, *maximum);
}

template <typename T>
void scaled_exponentials(T* row, std::int64_t n, float factor, float top, float scale) {
  const V f = splat(factor), shift = splat(-factor * top), by = splat(scale);
  std::int64_t j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
    store(row + j, exponential(load(row + j) * f + shift) * by);
    store(row + j + kLanes, exponential(load(row + j + kLanes) * f + shift) * by);
  }
  for (; j < n; j += kLanes) store(row + j, exponential(load(row + j, n - j) * f + shift) * by, n - j);
}

template <typename T>
void fill_softmax(Kernels<T>& table) {
  table.sum_exponentials = sum_exponentials<T>;
  table.scaled_exponentials = scaled_exponentials<T>;
}
template void fill_softmax(Kernels<float>&);
template void fill_softmax(Kernels<Bf16>&);

}  // namespace genrec::GENREC_ISA
