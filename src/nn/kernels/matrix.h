#pragma once
#include <cstdint>

#include "nn/kernels/kernels.h"

namespace genrec {

/// Products of matrices in bfloat16, summed in float32. The right factor is packed first, in panels of kPanel
/// columns in which the two rows of a pair lie side by side; pieces of a product that begin at another panel
/// or another row may be computed by several threads. Depths (the lengths of sums) are even.
struct MatrixKernels {
  static constexpr std::int64_t kPanel = 64;
  /// Elements of a packed [depth, columns].
  static constexpr std::int64_t packed_size(std::int64_t depth, std::int64_t columns) {
    return depth * ((columns + 15) / 16 * 16);
  }

  /// packed = b [depth, columns].
  void (*pack)(const Bf16* b, std::int64_t ld, std::int64_t depth, std::int64_t columns, Bf16* packed);
  /// packed = b^T, b [columns, depth].
  void (*pack_transposed)(const Bf16* b, std::int64_t ld, std::int64_t depth, std::int64_t columns,
                          Bf16* packed);
  /// c [rows, columns] = first + a [rows, depth] packed; `first` [columns] is added to every row, and may be
  /// null. The leading dimension of a is even here and in multiply_add.
  void (*multiply)(const Bf16* a, std::int64_t lda, std::int64_t rows, std::int64_t depth,
                   std::int64_t columns, const Bf16* packed, const float* first, Bf16* c, std::int64_t ldc);
  /// c += a packed
  void (*multiply_add)(const Bf16* a, std::int64_t lda, std::int64_t rows, std::int64_t depth,
                       std::int64_t columns, const Bf16* packed, float* c, std::int64_t ldc);
  /// c [rows, columns] += a^T b, a [depth, rows], b [depth, columns], any depth; `scratch` for
  /// outer_scratch(columns) elements.
  void (*outer_add)(const Bf16* a, std::int64_t lda, const Bf16* b, std::int64_t ldb, std::int64_t depth,
                    std::int64_t rows, std::int64_t columns, float* c, std::int64_t ldc, Bf16* scratch);
  static constexpr std::int64_t kOuterDepth = 512, kOuterRows = 96;
  static constexpr std::int64_t outer_scratch(std::int64_t columns) {
    return kOuterDepth * kOuterRows + packed_size(kOuterDepth, columns);
  }
};

/// Null without AVX512-BF16, and with AMX, where a library's products are faster.
const MatrixKernels* matrix_kernels();

}  // namespace genrec
