#pragma once
#include <ATen/ATen.h>

namespace genrec {

/// y [n, out] = x [n, in] w^T, w [out, in]: a linear layer without bias, in the precision of x and w.
[[nodiscard]] at::Tensor linear_layer(const at::Tensor& x, const at::Tensor& w);
/// dx [n, in] = dy w.
[[nodiscard]] at::Tensor linear_input_gradient(const at::Tensor& dy, const at::Tensor& w);
/// total [n, in] float32 += dy w.
void add_linear_input_gradient(const at::Tensor& total, const at::Tensor& dy, const at::Tensor& w);
/// dw [out, in] float32 += dy^T x.
void add_weight_gradient(const at::Tensor& dw, const at::Tensor& dy, const at::Tensor& x);

}  // namespace genrec
