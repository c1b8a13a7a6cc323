#include "nn/products.h"

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

at::Tensor linear_layer(const at::Tensor& x, const at::Tensor& w) {
  return at::mm(x, w.t());
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
