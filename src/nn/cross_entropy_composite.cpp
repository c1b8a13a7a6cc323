#include <algorithm>

#include "nn/cross_entropy.h"
#include "nn/indices.h"
#include "nn/products.h"

namespace genrec {
namespace {

constexpr std::int64_t kRows = 1024;  // of a chunk

}  // namespace

at::Tensor cross_entropy_composite(const at::Tensor& hidden, const at::Tensor& weight,
                                   std::span<const TokenId> targets, double tau, at::Tensor* dhidden,
                                   const at::Tensor& dweight) {
  const std::int64_t rows = hidden.size(0);
  if (dhidden != nullptr) *dhidden = at::empty({rows, hidden.size(1)}, hidden.options().dtype(at::kFloat));
  const at::Tensor index = index_on(targets, hidden.device()).unsqueeze(1);
  at::Tensor total = at::zeros({}, hidden.options().dtype(at::kDouble));
  for (std::int64_t begin = 0; begin < rows; begin += kRows) {
    const std::int64_t count = std::min(kRows, rows - begin);
    const at::Tensor h = hidden.narrow(0, begin, count), target = index.narrow(0, begin, count);
    const at::Tensor log_p = at::log_softmax(linear_layer(h, weight).to(at::kFloat) / tau, -1);
    total.sub_(log_p.gather(1, target).sum(at::kDouble));
    if (dhidden == nullptr) continue;
    at::Tensor d = log_p.exp();
    d.scatter_add_(1, target, at::full_like(target, -1, d.options()));
    const at::Tensor dlogits = d.div_(tau).to(h.scalar_type());
    add_weight_gradient(dweight, dlogits, h);
    dhidden->narrow(0, begin, count).copy_(linear_input_gradient(dlogits, weight));
  }
  return total;
}

void log_probabilities_composite(const at::Tensor& hidden, const at::Tensor& weight,
                                 std::span<const std::int64_t> offsets, std::span<const TokenId> candidates,
                                 std::span<float> out) {
  const std::int64_t rows = hidden.size(0), vocabulary = weight.size(0);
  for (std::int64_t begin = 0; begin < rows; begin += kRows) {
    const std::int64_t end = std::min(rows, begin + kRows);
    const std::int64_t first = offsets[static_cast<std::size_t>(begin)],
                       last = offsets[static_cast<std::size_t>(end)];
    if (first == last) continue;
    const at::Tensor log_p =
        at::log_softmax(linear_layer(hidden.narrow(0, begin, end - begin), weight).to(at::kFloat), -1);
    at::Tensor place = at::empty({last - first}, at::kLong);
    auto* p = place.data_ptr<std::int64_t>();
    for (std::int64_t row = begin; row < end; ++row) {
      const auto r = static_cast<std::size_t>(row);
      for (std::int64_t j = offsets[r]; j < offsets[r + 1]; ++j) {
        *p++ = (row - begin) * vocabulary + candidates[static_cast<std::size_t>(j)];
      }
    }
    const at::Tensor chosen = log_p.flatten().index_select(0, place.to(hidden.device())).to(at::kCPU);
    std::copy_n(chosen.const_data_ptr<float>(), last - first, out.begin() + first);
  }
}

}  // namespace genrec
