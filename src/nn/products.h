#pragma once
#include <ATen/ATen.h>

#include <cstdint>

#include "nn/weight.h"

namespace genrec {

/// y [n, out] = x [n, in] w^T, w [out, in]: a linear layer without bias, in the precision of x and w. On the
/// CPU few rows are padded with zeros where the library's products need it.
[[nodiscard]] at::Tensor linear_layer(const at::Tensor& x, const Weight& w);
/// x w^T + bias; bias [out] in the precision of w.
[[nodiscard]] at::Tensor linear_layer(const at::Tensor& x, const Weight& w, const at::Tensor& bias);
/// y = x w^T into memory of the same precision. Few rows are not padded: without kernels of our own a row may
/// depend on their number.
void linear_layer_into(const at::Tensor& y, const at::Tensor& x, const Weight& w);
/// Packs w as linear_layer(x, w) would, so that its parts (Weight::rows) share that.
void pack_for(const at::Tensor& x, const Weight& w);
/// x with rows of zeros up to `rows`; x itself when it has as many.
[[nodiscard]] at::Tensor with_rows(const at::Tensor& x, std::int64_t rows);
/// dx [n, in] = dy w.
[[nodiscard]] at::Tensor linear_input_gradient(const at::Tensor& dy, const at::Tensor& w);
void linear_input_gradient_into(const at::Tensor& dx, const at::Tensor& dy, const at::Tensor& w);
/// total [n, in] float32 += dy w.
void add_linear_input_gradient(const at::Tensor& total, const at::Tensor& dy, const at::Tensor& w);
/// dw [out, in] float32 += dy^T x.
void add_weight_gradient(const at::Tensor& dw, const at::Tensor& dy, const at::Tensor& x);
/// sums [n] float32 += the sums of the columns of x [rows, n]: the gradient of a bias.
void add_column_sums(const at::Tensor& sums, const at::Tensor& x);

}  // namespace genrec
