#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <optional>

#include "comm/communicator.h"
#include "tokenizers/rqvae/code_clusters.h"
#include "tokenizers/rqvae/rqvae_batches.h"
#include "tokenizers/rqvae/rqvae_model.h"
#include "tokenizers/rqvae/rqvae_options.h"
#include "tokenizers/rqvae/rqvae_state.h"

namespace genrec {

/// The loss that an RQ-VAE is trained on, reconstruction + lambda_q (quantisation + beta diversity) + alpha
/// collaborative (LETTER, Eq. 6; TIGER without the last two), the sums of its parts over an epoch, and the
/// clusters of codes that the diversity loss draws from. The last level's codes are Sinkhorn's over the batch
/// of all ranks: ranks sum the columns of its plan, or on a device exchange the residuals of that level
/// (without gradients: an assignment has none).
class RqvaeObjective {
 public:
  /// The model and world must outlive this.
  RqvaeObjective(const RqvaeModel& model, const RqvaeOptions& options, Communicator& world);

  /// Empties the sums; clusters the codes where that is due, on rank 0. Collective.
  void begin_epoch(std::int64_t epoch);
  /// This rank's share of the batch's loss, with gradients; adds its parts to the sums. Collective: a rank
  /// without rows calls it, too, and gets an undefined tensor.
  [[nodiscard]] at::Tensor loss(const RqvaeBatch& batch, std::int64_t epoch);

  /// Parts of the loss summed over the items of all ranks since the epoch began, `total` left 0. Collective.
  [[nodiscard]] RqvaeLosses sums() const;
  /// Means over `items`, and their weighted sum.
  [[nodiscard]] RqvaeLosses means(const RqvaeLosses& sums, std::int64_t items) const;
  /// Goes on with the sums of all ranks from within an epoch.
  void set_sums(const RqvaeLosses& sums);
  /// [levels, codes] int64 on the host; undefined where there are none.
  [[nodiscard]] at::Tensor cluster_labels() const;
  void set_cluster_labels(const at::Tensor& labels);

 private:
  [[nodiscard]] at::Tensor balanced_codes(const at::Tensor& residual, const at::Tensor& codebook) const;

  const RqvaeModel& model_;
  RqvaeOptions options_;
  Communicator& world_;
  std::optional<CodeClusters> clusters_;
  at::Tensor sums_;  ///< [loss parts] float64, on the device: over this rank's items
};

}  // namespace genrec
