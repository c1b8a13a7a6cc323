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

inline float value_of(const float* p) {
  return *p;
}
inline float value_of(const Bf16* p) {
  const std::uint32_t bits = static_cast<std::uint32_t>(p->bits) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

template <typename T>
double cross_entropy(T* row, std::int64_t n, std::int64_t target, float tau, bool gradient) {
  const float factor = 1.0f / tau, top = row_maximum(row, n);
  const float total = exponential_sum(row, n, factor, top);
  const double log_sum = static_cast<double>(__builtin_logf(total));
  const double loss =
      log_sum - static_cast<double>(value_of(row + target) - top) * static_cast<double>(factor);
  if (!gradient) return loss;
  const V f = splat(factor), shift = splat(-factor * top), norm = splat(factor / total);
  // The target's element alone has the -1: taken out before the row is overwritten.
  const float at_target =
      factor * (exponential(splat((value_of(row + target) - top) * factor))[0] / total - 1.0f);
  std::int64_t j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
    store(row + j, exponential(load(row + j) * f + shift) * norm);
    store(row + j + kLanes, exponential(load(row + j + kLanes) * f + shift) * norm);
  }
  for (; j < n; j += kLanes) store(row + j, exponential(load(row + j, n - j) * f + shift) * norm, n - j);
  store(row + target, splat(at_target), 1);
  return loss;
}

template <typename T>
void sum_exponentials(const T* row, std::int64_t n, float* maximum, float* sum) {
  const float top = row_maximum(row, n);
  if (top > *maximum) {
    *sum *= exponential(splat(*maximum - top))[0];
    *maximum = top;
  }
  *sum += exponential_sum(row, n, 1.0f, *maximum);
}

template <typename T>
void fill_softmax(Kernels<T>& table) {
  table.cross_entropy = cross_entropy<T>;
  table.sum_exponentials = sum_exponentials<T>;
}
template void fill_softmax(Kernels<float>&);
template void fill_softmax(Kernels<Bf16>&);

}  // namespace genrec::GENREC_ISA
