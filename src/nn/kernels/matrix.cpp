#include "nn/kernels/matrix.h"

#include "nn/kernels/product.h"

#if defined(__AVX512BF16__)
namespace genrec::GENREC_ISA {
namespace {

constexpr std::int64_t kPanel = MatrixKernels::kPanel;
static_assert(kPanel == kTileVectors * kLanes);
/// Rows that meet all panels in turn: they stay in the second cache.
constexpr std::int64_t kRows = 96;

constexpr std::int64_t at_most(std::int64_t n, std::int64_t limit) {
  return n < limit ? n : limit;
}

constexpr std::int64_t even(std::int64_t depth) {
  return (depth + 1) / 2 * 2;
}

void pack(const Bf16* b, std::int64_t ld, std::int64_t depth, std::int64_t columns, Bf16* packed) {
  for (std::int64_t j = 0; j < columns; j += kPanel) {
    Pairs::right(b + j, ld, depth, at_most(columns - j, kPanel),
                 reinterpret_cast<Pair*>(packed + even(depth) * j));
  }
}

void pack_transposed(const Bf16* b, std::int64_t ld, std::int64_t depth, std::int64_t columns, Bf16* packed) {
  for (std::int64_t j = 0; j < columns; j += kPanel) {
    Pairs::right_transposed(b + j * ld, ld, at_most(columns - j, kPanel), depth,
                            reinterpret_cast<Pair*>(packed + depth * j));
  }
}

/// C = Start + A B.
template <typename Out>
void multiply_panels(Left<Pair> a, std::int64_t rows, std::int64_t depth, std::int64_t columns,
                     const Bf16* packed, Start start, Out* c, std::int64_t ldc) {
  for (std::int64_t i = 0; i < rows; i += kRows, a.data += kRows * a.row) {
    for (std::int64_t j = 0; j < columns; j += kPanel) {
      Start here = start;
      if (start.data != nullptr) here.data += i * start.row + j;
      product<Pairs>(at_most(rows - i, kRows), at_most(columns - j, kPanel), Pairs::depth(depth), a,
                     reinterpret_cast<const Pair*>(packed + depth * j), c + i * ldc + j, ldc, here);
    }
  }
}

void multiply(const Bf16* a, std::int64_t lda, std::int64_t rows, std::int64_t depth, std::int64_t columns,
              const Bf16* packed, const float* first, Bf16* c, std::int64_t ldc) {
  multiply_panels(Pairs::left(a, lda, rows, depth, nullptr), rows, depth, columns, packed, {first, 0}, c,
                  ldc);
}

void multiply_add(const Bf16* a, std::int64_t lda, std::int64_t rows, std::int64_t depth,
                  std::int64_t columns, const Bf16* packed, float* c, std::int64_t ldc) {
  multiply_panels(Pairs::left(a, lda, rows, depth, nullptr), rows, depth, columns, packed, {c, ldc}, c, ldc);
}

void outer_add(const Bf16* a, std::int64_t lda, const Bf16* b, std::int64_t ldb, std::int64_t depth,
               std::int64_t rows, std::int64_t columns, float* c, std::int64_t ldc, Bf16* scratch) {
  auto* left = reinterpret_cast<Pair*>(scratch);
  Bf16* right = scratch + MatrixKernels::kOuterDepth * MatrixKernels::kOuterRows;
  for (std::int64_t k = 0; k < depth; k += MatrixKernels::kOuterDepth) {
    const std::int64_t taken = at_most(depth - k, MatrixKernels::kOuterDepth);
    pack(b + k * ldb, ldb, taken, columns, right);
    for (std::int64_t i = 0; i < rows; i += MatrixKernels::kOuterRows) {
      const std::int64_t count = at_most(rows - i, MatrixKernels::kOuterRows);
      Pairs::right(a + k * lda + i, lda, taken, count, left);
      multiply_panels({left, 1, padded(count)}, count, even(taken), columns, right, {c + i * ldc, ldc},
                      c + i * ldc, ldc);
    }
  }
}

}  // namespace

const MatrixKernels& matrix_table() {
  static const MatrixKernels table{pack, pack_transposed, multiply, multiply_add, outer_add};
  return table;
}

}  // namespace genrec::GENREC_ISA
#endif
