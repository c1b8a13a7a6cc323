#include "nn/products.h"

#include <ATen/Parallel.h>

namespace genrec {
namespace {

/// total += a b, summed in float32 across calls whatever the factors are.
void add_product(at::Tensor total, const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() == at::kFloat) {
    total.addmm_(a, b);
  } else {
    total.add_(at::mm(a, b));
  }
}

}  // namespace

at::Tensor with_rows(const at::Tensor& x, std::int64_t rows) {
  if (x.size(0) >= rows) return x;
  at::Tensor more = at::zeros({rows, x.size(1)}, x.options());
  more.narrow(0, 0, x.size(0)).copy_(x);
  return more;
}

at::Tensor linear_layer(const at::Tensor& x, const at::Tensor& w) {
  // MKL's AVX2 kernels round the last one to three rows of a thread otherwise if these are all it has: a
  // row's result should not depend on how many rows there are.
  const std::int64_t few = x.is_cpu() ? 8 * at::get_num_threads() : 0;
  return at::mm(with_rows(x, few), w.t()).narrow(0, 0, x.size(0));
}

at::Tensor linear_input_gradient(const at::Tensor& dy, const at::Tensor& w) {
  return at::mm(dy, w);
}

void add_linear_input_gradient(const at::Tensor& total, const at::Tensor& dy, const at::Tensor& w) {
  add_product(total, dy, w);
}

void add_weight_gradient(const at::Tensor& dw, const at::Tensor& dy, const at::Tensor& x) {
  add_product(dw, dy.t(), x);
}

}  // namespace genrec
