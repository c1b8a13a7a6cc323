#pragma once
#include <ATen/ATen.h>

#include "nn/packed.h"

namespace genrec {

/// x + dropout(y): x [rows, n] float32, y in the products' precision; float32. Writes over y where it can.
[[nodiscard]] at::Tensor add_dropout(const at::Tensor& x, const at::Tensor& y, const Dropout& dropout);
/// factor * dropout(x) in `precision`; its own backward pass as well. May return x itself.
[[nodiscard]] at::Tensor scaled_dropout(const at::Tensor& x, double factor, const Dropout& dropout,
                                        at::ScalarType precision);

/// dropout(relu(x)), over x.
void relu_dropout(at::Tensor& x, const Dropout& dropout);
/// Over dy: the gradient of relu_dropout's input; `out` is its result.
void relu_dropout_backward(const at::Tensor& out, at::Tensor& dy, const Dropout& dropout);

/// dropout(gelu(gate) * linear), gelu by the tanh approximation; both [rows, 2 n]: gate, then linear.
[[nodiscard]] at::Tensor gated_gelu_dropout(const at::Tensor& both, const Dropout& dropout);
/// The gradient of `both`.
[[nodiscard]] at::Tensor gated_gelu_dropout_backward(const at::Tensor& both, const at::Tensor& dout,
                                                     const Dropout& dropout);

}  // namespace genrec
