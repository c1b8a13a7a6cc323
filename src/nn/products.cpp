#include "nn/products.h"

#include <ATen/Parallel.h>

#include "nn/kernel_call.h"
#include "nn/kernels/matrix.h"
#include "nn/packed.h"

namespace genrec {
namespace {

constexpr std::int64_t kPanel = MatrixKernels::kPanel;
constexpr std::int64_t kTile = 6;  // rows that the kernels take at a time

bool in_rows(const at::Tensor& matrix) {
  return matrix.stride(1) == 1;
}

bool fits(const at::Tensor& factor) {
  return factor.is_cpu() && factor.scalar_type() == at::kBFloat16 && in_rows(factor);
}

/// The kernels, where there are any for these factors; a, too, must lie in rows.
const MatrixKernels* kernels_for(const at::Tensor& a, const at::Tensor& b) {
  return fits(a) && fits(b) ? matrix_kernels() : nullptr;
}

/// Sums over the columns of a run along pairs.
const MatrixKernels* kernels_for_rows(const at::Tensor& a, const at::Tensor& b) {
  return a.size(1) % 2 == 0 && a.stride(0) % 2 == 0 ? kernels_for(a, b) : nullptr;
}

/// A packed right factor.
struct Packed {
  at::Tensor memory;
  std::int64_t depth, columns;
  [[nodiscard]] const Bf16* panel(std::int64_t column) const {
    return elements<Bf16>(memory) + depth * column;
  }
};

Packed packed(const MatrixKernels& with, const at::Tensor& b) {
  const std::int64_t depth = b.size(0), columns = b.size(1);
  const Packed result{at::empty({MatrixKernels::packed_size(depth, columns)}, b.options()), depth, columns};
  parallel_steps(columns, kPanel, 8 * kPanel * depth, [&](std::int64_t first, std::int64_t count) {
    with.pack(elements<Bf16>(b) + first, b.stride(0), depth, count,
              elements<Bf16>(result.memory) + depth * first);
  });
  return result;
}

Packed packed_transposed(const MatrixKernels& with, const Weight& w) {
  return {w.panels(with), w.size(1), w.size(0)};
}

void check(const at::Tensor& c, at::ScalarType type, std::int64_t rows, std::int64_t columns) {
  TORCH_CHECK(c.scalar_type() == type && in_rows(c) && c.size(0) == rows && c.size(1) == columns,
              "no place for a product of ", rows, " x ", columns, ": ", c.sizes(), " ", c.scalar_type());
}

/// c = first + a b where c is bfloat16, c += a b where it is float32. A row's result depends on that row
/// alone.
void multiply(const MatrixKernels& with, const at::Tensor& c, const at::Tensor& a, const Packed& b,
              const at::Tensor& first = {}) {
  const bool adds = c.scalar_type() == at::kFloat;
  const std::int64_t rows = a.size(0), lda = a.stride(0), ldc = c.stride(0);
  TORCH_CHECK(a.size(1) == b.depth, "factors of ", a.size(1), " columns and ", b.depth, " rows");
  check(c, adds ? at::kFloat : at::kBFloat16, rows, b.columns);
  const auto part = [&](std::int64_t row, std::int64_t count, std::int64_t column, std::int64_t width) {
    const Bf16* from = elements<Bf16>(a) + row * lda;
    if (adds) {
      with.multiply_add(from, lda, count, b.depth, width, b.panel(column),
                        elements<float>(c) + row * ldc + column, ldc);
    } else {
      with.multiply(from, lda, count, b.depth, width, b.panel(column),
                    first.defined() ? elements<float>(first) + column : nullptr,
                    elements<Bf16>(c) + row * ldc + column, ldc);
    }
  };
  if (rows >= 4 * kTile * at::get_num_threads()) {
    parallel_steps(rows, kTile, 2 * kTile * b.depth * b.columns,
                   [&](std::int64_t row, std::int64_t count) { part(row, count, 0, b.columns); });
  } else {
    parallel_steps(b.columns, kPanel, 2 * rows * b.depth * kPanel,
                   [&](std::int64_t column, std::int64_t width) { part(0, rows, column, width); });
  }
}

/// total += a b, summed in float32 across calls whatever the factors are.
void add_product(at::Tensor total, const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() == at::kFloat) {
    total.addmm_(a, b);
  } else {
    total.add_(at::mm(a, b));
  }
}

/// c += a^T b; threads share the longer side of c.
void outer_add(const MatrixKernels& with, const at::Tensor& c, const at::Tensor& a, const at::Tensor& b) {
  const std::int64_t depth = a.size(0), rows = a.size(1), columns = b.size(1);
  TORCH_CHECK(b.size(0) == depth, "factors of ", depth, " and ", b.size(0), " rows");
  check(c, at::kFloat, rows, columns);
  const auto part = [&](std::int64_t row, std::int64_t count, std::int64_t column, std::int64_t width) {
    const at::Tensor scratch = at::empty({MatrixKernels::outer_scratch(width)}, a.options());
    with.outer_add(elements<Bf16>(a) + row, a.stride(0), elements<Bf16>(b) + column, b.stride(0), depth,
                   count, width, elements<float>(c) + row * c.stride(0) + column, c.stride(0),
                   elements<Bf16>(scratch));
  };
  if (rows >= columns) {
    parallel_steps(rows, 2 * kTile, 4 * kTile * depth * columns,
                   [&](std::int64_t row, std::int64_t count) { part(row, count, 0, columns); });
  } else {
    parallel_steps(columns, kPanel, 2 * kPanel * depth * rows,
                   [&](std::int64_t column, std::int64_t width) { part(0, rows, column, width); });
  }
}

}  // namespace

at::Tensor with_rows(const at::Tensor& x, std::int64_t rows) {
  if (x.size(0) >= rows) return x;
  at::Tensor more = at::zeros({rows, x.size(1)}, x.options());
  more.narrow(0, 0, x.size(0)).copy_(x);
  return more;
}

at::Tensor linear_layer(const at::Tensor& x, const Weight& w) {
  if (kernels_for_rows(x, w) != nullptr) {
    at::Tensor y = at::empty({x.size(0), w.size(0)}, x.options());
    linear_layer_into(y, x, w);
    return y;
  }
  // MKL's AVX2 kernels round the last one to three rows of a thread otherwise if these are all it has: a
  // row's result should not depend on how many rows there are.
  const std::int64_t few = x.is_cpu() ? 8 * at::get_num_threads() : 0;
  const at::Tensor& matrix = w;
  return at::mm(with_rows(x, few), matrix.t()).narrow(0, 0, x.size(0));
}

at::Tensor linear_layer(const at::Tensor& x, const Weight& w, const at::Tensor& bias) {
  const MatrixKernels* with = kernels_for_rows(x, w);
  if (with == nullptr) return at::linear(x, w, bias);
  at::Tensor y = at::empty({x.size(0), w.size(0)}, x.options());
  multiply(*with, y, x, packed_transposed(*with, w), bias.to(at::kFloat));
  return y;
}

void pack_for(const at::Tensor& x, const Weight& w) {
  if (const MatrixKernels* with = kernels_for_rows(x, w)) (void)w.panels(*with);
}

void linear_layer_into(const at::Tensor& y, const at::Tensor& x, const Weight& w) {
  if (const MatrixKernels* with = kernels_for_rows(x, w)) {
    TORCH_CHECK(y.scalar_type() == x.scalar_type(), "a product of ", x.scalar_type(), " into ",
                y.scalar_type());
    multiply(*with, y, x, packed_transposed(*with, w));
    return;
  }
  at::Tensor out = y;
  const at::Tensor& matrix = w;
  at::mm_out(out, x, matrix.t());
}

at::Tensor linear_input_gradient(const at::Tensor& dy, const at::Tensor& w) {
  at::Tensor dx = at::empty({dy.size(0), w.size(1)}, dy.options());
  linear_input_gradient_into(dx, dy, w);
  return dx;
}

void linear_input_gradient_into(const at::Tensor& dx, const at::Tensor& dy, const at::Tensor& w) {
  if (const MatrixKernels* with = kernels_for_rows(dy, w)) {
    TORCH_CHECK(dx.scalar_type() == dy.scalar_type(), "a product of ", dy.scalar_type(), " into ",
                dx.scalar_type());
    multiply(*with, dx, dy, packed(*with, w));
    return;
  }
  at::Tensor out = dx;
  at::mm_out(out, dy, w);
}

void add_linear_input_gradient(const at::Tensor& total, const at::Tensor& dy, const at::Tensor& w) {
  if (const MatrixKernels* with = kernels_for_rows(dy, w)) {
    multiply(*with, total, dy, packed(*with, w));
    return;
  }
  add_product(total, dy, w);
}

void add_weight_gradient(const at::Tensor& dw, const at::Tensor& dy, const at::Tensor& x) {
  if (const MatrixKernels* with = kernels_for(dy, x)) {
    outer_add(*with, dw, dy, x);
    return;
  }
  add_product(dw, dy.t(), x);
}

void add_column_sums(const at::Tensor& sums, const at::Tensor& x) {
  if (!uses_kernels(x)) {
    sums.add_(x.sum(0, /*keepdim=*/false, at::kFloat));
    return;
  }
  const std::int64_t rows = x.size(0), n = x.size(1), ld = x.stride(0);
  TORCH_CHECK(in_rows(x) && sums.is_cpu() && sums.scalar_type() == at::kFloat && sums.is_contiguous() &&
                  sums.numel() == n,
              "no place for the sums of ", n, " columns: ", sums.sizes(), " ", sums.scalar_type());
  by_precision(x, [&]<typename T>(T) {
    parallel_steps(n, kPanel, rows * kPanel, [&](std::int64_t first, std::int64_t count) {
      kernels<T>().add_column_sums(elements<T>(x) + first, ld, elements<float>(sums) + first, rows, count);
    });
  });
}

}  // namespace genrec
