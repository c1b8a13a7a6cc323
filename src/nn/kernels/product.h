#pragma once
#include "nn/kernels/factors.h"

namespace genrec::GENREC_ISA {

/// Vectors of a row of C that one tile keeps in registers.
constexpr std::int64_t kTileVectors = kLanes == 16 ? 4 : 2;

/// What the sums of a product begin with: nothing (null), the rows of a matrix, or one row for all (row = 0).
struct Start {
  const float* data;
  std::int64_t row;
};

/// The first Vectors vectors of C[Rows, columns] = Start + A B.
template <typename F, int Rows, int Vectors, typename Out>
inline void tile(std::int64_t columns, std::int64_t depth, Left<typename F::Element> a,
                 const typename F::Element* __restrict b, std::int64_t ldb, Start start, Out* c,
                 std::int64_t ldc) {
  V sums[Rows][Vectors] = {};
  for (std::int64_t k = 0; k < depth; ++k) {
    typename F::Line line[Vectors];
    for (int j = 0; j < Vectors; ++j) line[j] = F::line(b + k * ldb + j * kLanes);
    for (int i = 0; i < Rows; ++i) {
      const typename F::Line x = F::everywhere(a.data + i * a.row + k * a.column);
      for (int j = 0; j < Vectors; ++j) sums[i][j] = F::add_product(sums[i][j], x, line[j]);
    }
  }
  for (int i = 0; i < Rows; ++i) {
    for (int j = 0; j < Vectors; ++j) {
      const std::int64_t count = columns - j * kLanes;
      if (start.data != nullptr) sums[i][j] += load(start.data + i * start.row + j * kLanes, count);
      store(c + i * ldc + j * kLanes, sums[i][j], count);
    }
  }
}

template <typename F, int Vectors, typename Out>
void strip(std::int64_t rows, std::int64_t columns, std::int64_t depth, Left<typename F::Element> a,
           const typename F::Element* b, std::int64_t ldb, Start start, Out* c, std::int64_t ldc) {
  for (; rows >= 6; rows -= 6, a.data += 6 * a.row, c += 6 * ldc) {
    tile<F, 6, Vectors>(columns, depth, a, b, ldb, start, c, ldc);
    if (start.data != nullptr) start.data += 6 * start.row;
  }
  switch (rows) {
    case 5:
      return tile<F, 5, Vectors>(columns, depth, a, b, ldb, start, c, ldc);
    case 4:
      return tile<F, 4, Vectors>(columns, depth, a, b, ldb, start, c, ldc);
    case 3:
      return tile<F, 3, Vectors>(columns, depth, a, b, ldb, start, c, ldc);
    case 2:
      return tile<F, 2, Vectors>(columns, depth, a, b, ldb, start, c, ldc);
    case 1:
      return tile<F, 1, Vectors>(columns, depth, a, b, ldb, start, c, ldc);
    default:
      return;
  }
}

/// C[rows, columns] = Start + A B with `depth` elements in the direction of the sum; rows of B
/// are padded(columns) long.
template <typename F, typename Out>
void product(std::int64_t rows, std::int64_t columns, std::int64_t depth, Left<typename F::Element> a,
             const typename F::Element* b, Out* c, std::int64_t ldc, Start start = {}) {
  const std::int64_t ldb = padded(columns);
  while (columns > 0) {
    const std::int64_t vectors = (columns + kLanes - 1) / kLanes;
    const std::int64_t taken = vectors < kTileVectors ? vectors : kTileVectors;
    switch (taken) {
#if GENREC_LANES == 16
      case 4:
        strip<F, 4>(rows, columns, depth, a, b, ldb, start, c, ldc);
        break;
      case 3:
        strip<F, 3>(rows, columns, depth, a, b, ldb, start, c, ldc);
        break;
#endif
      case 2:
        strip<F, 2>(rows, columns, depth, a, b, ldb, start, c, ldc);
        break;
      default:
        strip<F, 1>(rows, columns, depth, a, b, ldb, start, c, ldc);
    }
    columns -= taken * kLanes;
    b += taken * kLanes;
    c += taken * kLanes;
    if (start.data != nullptr) start.data += taken * kLanes;
  }
}

}  // namespace genrec::GENREC_ISA
