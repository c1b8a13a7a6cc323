#include "tokenizers/rqvae/rqvae_losses.h"

namespace genrec {
namespace {

/// Takes the own code out of a softmax.
constexpr double kOwnCode = -1e12;

/// How often each (code, positive) is there, [levels, codes, codes] float32. Ones add up exactly in any
/// order.
at::Tensor pair_counts(const at::Tensor& codes, const at::Tensor& positives, std::int64_t codebook_size) {
  const std::int64_t levels = codes.size(1);
  const at::Tensor level = at::arange(levels, codes.options());
  const at::Tensor place = (level * codebook_size + codes).mul_(codebook_size).add_(positives).view({-1});
  const auto options = codes.options().dtype(at::kFloat);
  return at::zeros({levels * codebook_size * codebook_size}, options)
      .index_add_(0, place, at::ones({place.size(0)}, options))
      .view({levels, codebook_size, codebook_size});
}

}  // namespace

at::Tensor reconstruction_loss(const at::Tensor& x_hat, const at::Tensor& x, std::int64_t batch) {
  return at::mse_loss(x_hat, x, at::Reduction::Sum) * (1.0 / static_cast<double>(batch * x.size(1)));
}

at::Tensor collaborative_loss(const at::Tensor& z_hat, const at::Tensor& cf, std::int64_t first_row) {
  const at::Tensor own = at::arange(first_row, first_row + z_hat.size(0), z_hat.options().dtype(at::kLong));
  return at::cross_entropy_loss(at::mm(z_hat, cf.t()), own, {}, at::Reduction::Sum) *
         (1.0 / static_cast<double>(cf.size(0)));
}

at::Tensor diversity_loss(const at::Tensor& codebooks, const at::Tensor& codes, const at::Tensor& positives,
                          std::int64_t batch) {
  const std::int64_t levels = codebooks.size(0), size = codebooks.size(1);
  const at::Tensor counts = pair_counts(codes, positives, size);
  const at::Tensor own = at::eye(size, codebooks.options()).mul_(kOwnCode);
  const at::Tensor logits = at::bmm(codebooks, codebooks.transpose(1, 2)) + own;
  const at::Tensor sum = at::dot(at::log_softmax(logits, -1).view({-1}), counts.view({-1}));
  return sum * (-1.0 / static_cast<double>(batch * levels));
}

}  // namespace genrec
