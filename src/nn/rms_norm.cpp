#include "nn/rms_norm.h"

#include "nn/kernel_call.h"
#include "nn/packed.h"

namespace genrec {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon, at::ScalarType precision,
                    at::Tensor* rstd) {
  if (!uses_kernels(x)) {
    const at::Tensor r = at::rsqrt(x.square().mean(-1, true) + epsilon);
    if (rstd != nullptr) *rstd = r.squeeze(-1);
    return (x * r * weight).to(precision);
  }
  const std::int64_t rows = x.size(0), n = x.size(1);
  at::Tensor out = at::empty({rows, n}, x.options().dtype(precision));
  if (rstd != nullptr) *rstd = at::empty({rows}, x.options());
  float* r = rstd != nullptr ? elements<float>(*rstd) : nullptr;
  by_precision(out, [&]<typename T>(T) {
    parallel_rows(rows, n, [&](std::int64_t first, std::int64_t count) {
      kernels<T>().norm(elements<float>(x) + first * n, elements<float>(weight), static_cast<float>(epsilon),
                        elements<T>(out) + first * n, r == nullptr ? nullptr : r + first, count, n);
    });
  });
  return out;
}

void rms_norm_backward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd,
                       const at::Tensor& dout, const at::Tensor& dx, const at::Tensor& dweight) {
  if (!uses_kernels(x)) {
    const at::Tensor normed = x * rstd.unsqueeze(-1), d = dout.to(at::kFloat);
    dweight.add_((d * normed).sum(0));
    const at::Tensor dn = d * weight;
    dx.add_(rstd.unsqueeze(-1) * (dn - normed * (dn * normed).mean(-1, true)));
    return;
  }
  constexpr std::int64_t kBlock = 128;
  const std::int64_t rows = x.size(0), n = x.size(1), blocks = (rows + kBlock - 1) / kBlock;
  at::Tensor partial = at::zeros({blocks, n}, x.options());
  by_precision(dout, [&]<typename T>(T) {
    at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        const std::int64_t first = b * kBlock, at = first * n;
        kernels<T>().norm_backward(elements<float>(x) + at, elements<float>(weight),
                                   elements<float>(rstd) + first, elements<T>(dout) + at,
                                   elements<float>(dx) + at, elements<float>(partial) + b * n,
                                   std::min(kBlock, rows - first), n);
      }
    });
  });
  float* total = elements<float>(dweight);
  for (std::int64_t b = 0; b < blocks; ++b) {
    const float* part = elements<float>(partial) + b * n;
    for (std::int64_t j = 0; j < n; ++j) total[j] += part[j];
  }
}

}  // namespace genrec
