#include "nn/kernels/rows.h"

namespace genrec::GENREC_ISA {

constexpr std::int64_t kWide = kLanes / 2;
typedef double D __attribute__((vector_size(4 * GENREC_LANES)));

inline D load(const double* p) {
  D v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline void store(double* p, D v) {
  __builtin_memcpy(p, &v, sizeof v);
}

void first_minima(const float* x, std::int64_t* out, std::int64_t rows, std::int64_t n) {
  const V infinity = splat(__builtin_inff());
  for (std::int64_t row = 0; row < rows; ++row, x += n) {
    // The new number comes first: a comparison with NaN is false, which keeps the old one.
    V best = infinity, other = infinity;
    std::int64_t j = 0;
    for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
      best = minimum(load(x + j), best);
      other = minimum(load(x + j + kLanes), other);
    }
    for (; j < n; j += kLanes) {
      best = minimum(first(load(x + j, n - j), n - j, __builtin_inff()), best);
    }
    best = minimum(other, best);
    float least = best[0];
    for (int i = 1; i < kLanes; ++i) least = best[i] < least ? best[i] : least;
    std::int64_t place = 0;
    while (place < n && !(x[place] == least)) ++place;
    out[row] = place < n ? place : 0;
  }
}

void sinkhorn_sweep(const double* matrix, const double* v, double share, double* u, double* columns,
                    std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row, matrix += n) {
    D a{}, b{}, c{}, d{};
    std::int64_t j = 0;
    for (; j + 4 * kWide <= n; j += 4 * kWide) {
      a += load(matrix + j) * load(v + j);
      b += load(matrix + j + kWide) * load(v + j + kWide);
      c += load(matrix + j + 2 * kWide) * load(v + j + 2 * kWide);
      d += load(matrix + j + 3 * kWide) * load(v + j + 3 * kWide);
    }
    for (; j + kWide <= n; j += kWide) a += load(matrix + j) * load(v + j);
    const D parts = (a + b) + (c + d);
    double product = 0;
    for (int i = 0; i < kWide; ++i) product += parts[i];
    for (; j < n; ++j) product += matrix[j] * v[j];
    const double scale = share / product;
    u[row] = scale;
    const D by = scale - D{};
    for (j = 0; j + kWide <= n; j += kWide) store(columns + j, load(columns + j) + by * load(matrix + j));
    for (; j < n; ++j) columns[j] += scale * matrix[j];
  }
}

template <typename T>
void fill_assignment(Kernels<T>& table) {
  table.first_minima = first_minima;
  table.sinkhorn_sweep = sinkhorn_sweep;
}
template void fill_assignment(Kernels<float>&);
template void fill_assignment(Kernels<Bf16>&);

}  // namespace genrec::GENREC_ISA
