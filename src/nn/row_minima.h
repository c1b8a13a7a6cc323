#pragma once
#include <ATen/ATen.h>

namespace genrec {

/// The place of the smallest number of each row, int64 [n], the first of equals: x [n, columns] float32.
[[nodiscard]] at::Tensor first_minima(const at::Tensor& x);

}  // namespace genrec
