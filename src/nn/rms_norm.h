#pragma once
#include <ATen/ATen.h>

namespace genrec {

/// T5's layer norm: x * (mean x^2 + epsilon)^-1/2 * weight, computed in float32, returned in `precision`.
/// x [rows, n], weight [n] float32. `rstd` [rows], if wanted, is what the backward pass needs.
[[nodiscard]] at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon,
                                  at::ScalarType precision, at::Tensor* rstd);
/// dx += the gradient through the norm, dweight += the weight's; both float32. Sums over rows are taken in
/// blocks of fixed size, so the number of threads does not change them.
void rms_norm_backward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd,
                       const at::Tensor& dout, const at::Tensor& dx, const at::Tensor& dweight);

}  // namespace genrec
