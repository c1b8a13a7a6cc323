#include "nn/activation.h"

#include "nn/kernel_call.h"

namespace genrec {
namespace {

at::Tensor dropped(const at::Tensor& x, const Dropout& dropout) {
  return dropout.active() ? x * dropout.factors(x.size(-1)) : x;
}

}  // namespace

at::Tensor add_dropout(const at::Tensor& x, const at::Tensor& y, const Dropout& dropout) {
  if (!uses_kernels(x)) return x + dropped(y.to(at::kFloat), dropout);
  const std::int64_t rows = x.size(0), n = x.size(1);
  at::Tensor out = y.scalar_type() == at::kFloat ? y : at::empty_like(x);
  by_precision(y, [&]<typename T>(T) {
    parallel_rows(rows, n, [&](std::int64_t first, std::int64_t count) {
      kernels<T>().add_dropout(elements<float>(x) + first * n, elements<T>(y) + first * n,
                               elements<float>(out) + first * n, dropout.mask(first), count, n);
    });
  });
  return out;
}

at::Tensor scaled_dropout(const at::Tensor& x, double factor, const Dropout& dropout,
                          at::ScalarType precision) {
  if (!dropout.active() && factor == 1 && x.scalar_type() == precision) return x;
  if (!uses_kernels(x)) return (dropped(x.to(at::kFloat), dropout) * factor).to(precision);
  const std::int64_t rows = x.size(0), n = x.size(1);
  const auto f = static_cast<float>(factor);
  at::Tensor out = at::empty({rows, n}, x.options().dtype(precision));
  const bool from_float = x.scalar_type() == at::kFloat;
  if (!from_float && precision != at::kFloat)
    return scaled_dropout(x.to(at::kFloat), factor, dropout, precision);
  by_precision(from_float ? out : x, [&]<typename T>(T) {
    parallel_rows(rows, n, [&](std::int64_t first, std::int64_t count) {
      if (from_float) {
        kernels<T>().dropout_from_float(elements<float>(x) + first * n, elements<T>(out) + first * n, f,
                                        dropout.mask(first), count, n);
      } else {
        kernels<T>().dropout_to_float(elements<T>(x) + first * n, elements<float>(out) + first * n, f,
                                      dropout.mask(first), count, n);
      }
    });
  });
  return out;
}

void relu_dropout(at::Tensor& x, const Dropout& dropout) {
  if (!uses_kernels(x)) {
    x.relu_();
    if (dropout.active()) x.mul_(dropout.factors(x.size(1)));
    return;
  }
  const std::int64_t rows = x.size(0), n = x.size(1);
  by_precision(x, [&]<typename T>(T) {
    parallel_rows(rows, n, [&](std::int64_t first, std::int64_t count) {
      kernels<T>().relu(elements<T>(x) + first * n, dropout.mask(first), count, n);
    });
  });
}

void relu_dropout_backward(const at::Tensor& out, at::Tensor& dy, const Dropout& dropout) {
  if (!uses_kernels(dy)) {
    dy.mul_(out.gt(0)).mul_(dropout.scale());
    return;
  }
  const std::int64_t rows = dy.size(0), n = dy.size(1);
  by_precision(dy, [&]<typename T>(T) {
    parallel_rows(rows, n, [&](std::int64_t first, std::int64_t count) {
      kernels<T>().relu_backward(elements<T>(out) + first * n, elements<T>(dy) + first * n, dropout.scale(),
                                 count * n);
    });
  });
}

at::Tensor gated_gelu_dropout(const at::Tensor& both, const Dropout& dropout) {
  const std::int64_t rows = both.size(0), n = both.size(1) / 2;
  if (!uses_kernels(both)) {
    const at::Tensor wide = both.to(at::kFloat);
    const at::Tensor active = at::gelu(wide.narrow(1, 0, n), "tanh") * wide.narrow(1, n, n);
    return dropped(active, dropout).to(both.scalar_type());
  }
  at::Tensor out = at::empty({rows, n}, both.options());
  by_precision(out, [&]<typename T>(T) {
    parallel_rows(rows, n, [&](std::int64_t first, std::int64_t count) {
      kernels<T>().gated_gelu(elements<T>(both) + first * 2 * n, elements<T>(out) + first * n,
                              dropout.mask(first), count, n);
    });
  });
  return out;
}

at::Tensor gated_gelu_dropout_backward(const at::Tensor& both, const at::Tensor& dout,
                                       const Dropout& dropout) {
  const std::int64_t rows = both.size(0), n = both.size(1) / 2;
  if (!uses_kernels(both)) {
    const at::Tensor wide = both.to(at::kFloat), gate = wide.narrow(1, 0, n), linear = wide.narrow(1, n, n);
    const at::Tensor d = dropped(dout.to(at::kFloat), dropout);
    const at::Tensor dgate = at::gelu_backward(d * linear, gate, "tanh");
    return at::cat({dgate, d * at::gelu(gate, "tanh")}, 1).to(both.scalar_type());
  }
  at::Tensor dboth = at::empty_like(both);
  by_precision(both, [&]<typename T>(T) {
    parallel_rows(rows, n, [&](std::int64_t first, std::int64_t count) {
      kernels<T>().gated_gelu_backward(elements<T>(both) + first * 2 * n, elements<T>(dout) + first * n,
                                       elements<T>(dboth) + first * 2 * n, dropout.mask(first), count, n);
    });
  });
  return dboth;
}

}  // namespace genrec
