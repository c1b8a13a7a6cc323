#pragma once
#include <ATen/ATen.h>

#include <cstdint>

namespace genrec {

// The losses of the RQ-VAE beside the quantiser's own (nn/residual_quantizer.h), as scalars with gradients.
// Each is this rank's share of a mean over the `batch` rows of all ranks: the sum over ranks is the loss of
// the batch, and the sum of gradients its gradient.

/// Mean over rows and dimensions of (x_hat - x)^2; both [rows, width].
[[nodiscard]] at::Tensor reconstruction_loss(const at::Tensor& x_hat, const at::Tensor& x,
                                             std::int64_t batch);

/// LETTER's collaborative loss (Eq. 3, with the logarithm that the code has): InfoNCE in one direction with
/// raw inner products, temperature 1 and negatives from the batch,
///     mean over b of -log softmax_j(z_hat_b . h_j) at j = b.
/// z_hat [rows, dim] are rows first_row .. of the batch, `cf` [batch, dim] the frozen collaborative vectors
/// of the whole batch. A rank's rows meet the vectors of all ranks, but no other rank's z_hat, so shares add
/// up exactly without an exchange.
[[nodiscard]] at::Tensor collaborative_loss(const at::Tensor& z_hat, const at::Tensor& cf,
                                            std::int64_t first_row);

/// LETTER's diversity loss (Eq. 4, with the logarithm), mean over levels and rows:
///     -log softmax_k(q_b . e_k) at k = positive, over all codes k of the level but the own one.
/// Gradients reach the own code and all others. `codebooks` [levels, codes, dim] float32, `codes` and
/// `positives` [rows, levels] int64, positives != codes. Rows with equal codes have equal logits, so the work
/// grows with codes^2, not with the rows.
[[nodiscard]] at::Tensor diversity_loss(const at::Tensor& codebooks, const at::Tensor& codes,
                                        const at::Tensor& positives, std::int64_t batch);

}  // namespace genrec
