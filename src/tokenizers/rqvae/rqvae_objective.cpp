#include "tokenizers/rqvae/rqvae_objective.h"

#include <ATen/core/grad_mode.h>

#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "comm/on_root.h"
#include "nn/sinkhorn.h"
#include "tokenizers/rqvae/gather_rows.h"
#include "tokenizers/rqvae/rqvae_losses.h"
#include "tokenizers/rqvae/rqvae_streams.h"

namespace genrec {
namespace {

/// Parts of the loss, in the order of their sums.
enum LossPart : std::int64_t { kReconstruction, kQuantization, kCollaborative, kDiversity, kLossParts };

std::span<double> doubles_of(at::Tensor& x) {
  return {x.data_ptr<double>(), static_cast<std::size_t>(x.numel())};
}

}  // namespace

RqvaeObjective::RqvaeObjective(const RqvaeModel& model, const RqvaeOptions& options, Communicator& world)
    : model_(model), options_(options), world_(world) {
  set_sums({});
}

void RqvaeObjective::begin_epoch(std::int64_t epoch) {
  set_sums({});
  if (options_.letter.beta <= 0) return;
  if (clusters_ && epoch % options_.letter.recluster_every != 0) return;
  // Rank 0's: on another processor a code may round into another cluster.
  const at::Tensor labels = at::empty({options_.levels, options_.codes}, at::kLong);
  on_root(world_, [&] {
    labels.copy_(cluster_codes(model_.quantizer().codebooks(), options_.letter.clusters,
                               clusters_key(options_.seed, epoch)));
  });
  broadcast_tensor(labels, world_);
  set_cluster_labels(labels);
}

at::Tensor RqvaeObjective::balanced_codes(const at::Tensor& residual, const at::Tensor& codebook) const {
  const SinkhornOptions options{.epsilon = options_.sinkhorn_epsilon,
                                .iterations = options_.sinkhorn_iterations};
  if (world_.size() == 1) return sinkhorn_codes(square_distances(residual, codebook), options);
  if (residual.is_cpu()) {
    // Two small sums an iteration cost less than that every rank does the work of all.
    const SinkhornRanks ranks{
        .sum_over_ranks = [this](at::Tensor& x) { world_.all_reduce_sum(doubles_of(x)); },
        .max_over_ranks = [this](at::Tensor& x) { world_.all_reduce_max(doubles_of(x)); }};
    return sinkhorn_codes(square_distances(residual, codebook), options, ranks);
  }
  // A device would be waited for at each sum.
  const GatheredRows all = gather_rows(residual, world_);
  return sinkhorn_codes(square_distances(all.rows, codebook), options)
      .narrow(0, all.first_own, residual.size(0));
}

at::Tensor RqvaeObjective::loss(const RqvaeBatch& batch, std::int64_t epoch) {
  const bool balanced = options_.sinkhorn_epsilon > 0;
  if (batch.x.size(0) == 0) {
    if (balanced) {
      // The other ranks wait for this one's rows, of which there are none.
      const at::NoGradGuard no_gradients;
      (void)balanced_codes(at::empty({0, options_.dim}, batch.x.options()),
                           model_.quantizer().codebook(options_.levels - 1));
    }
    return {};
  }
  std::optional<PackedLayout> layout;
  MlpDropout encoder_dropout, decoder_dropout;
  if (options_.dropout > 0) {
    std::vector<std::int64_t> offsets(batch.items.size() + 1);
    std::iota(offsets.begin(), offsets.end(), std::int64_t{0});
    layout.emplace(std::move(offsets), model_.device());
    layout->draw_keys(dropout_key(options_.seed, epoch), batch.items);
    encoder_dropout = {&*layout, options_.dropout, DropoutSite::kEncoderHidden};
    decoder_dropout = {&*layout, options_.dropout, DropoutSite::kDecoderHidden};
  }
  QuantizeRequest request;
  request.mean_over = batch.size;
  if (balanced) {
    request.last_level = [this](const at::Tensor& residual, const at::Tensor& codebook) {
      return balanced_codes(residual, codebook);
    };
  }
  const at::Tensor z = model_.encoder().forward(model_.leaves(), batch.x, encoder_dropout);
  const Quantized quantized = model_.quantizer().forward(model_.codebook_leaf(), z, request);
  const at::Tensor x_hat = model_.decoder().forward(model_.leaves(), quantized.z_hat, decoder_dropout);
  std::vector<at::Tensor> parts(kLossParts);
  parts[kReconstruction] = reconstruction_loss(x_hat, batch.x, batch.size);
  parts[kQuantization] = quantized.loss;
  at::Tensor total = at::add(parts[kReconstruction], quantized.loss, options_.quantization_weight);
  if (batch.cf.defined()) {
    parts[kCollaborative] = collaborative_loss(quantized.z_hat, batch.cf, batch.first_row);
    total = at::add(total, parts[kCollaborative], options_.letter.alpha);
  } else {
    parts[kCollaborative] = at::zeros({}, x_hat.options());
  }
  if (batch.draws.defined()) {
    const at::Tensor& codes = quantized.detail.codes;
    parts[kDiversity] =
        diversity_loss(model_.codebook_leaf(), codes, clusters_->positives(codes, batch.draws), batch.size);
    total = at::add(total, parts[kDiversity], options_.quantization_weight * options_.letter.beta);
  } else {
    parts[kDiversity] = at::zeros({}, x_hat.options());
  }
  const at::NoGradGuard no_gradients;
  sums_.add_(at::stack(parts), static_cast<double>(batch.size));
  return total;
}

RqvaeLosses RqvaeObjective::sums() const {
  const at::Tensor host = sums_.to(at::kCPU, at::kDouble, /*non_blocking=*/false, /*copy=*/true);
  sum_over_ranks(host, world_);
  const auto* sums = host.const_data_ptr<double>();
  return {.reconstruction = sums[kReconstruction],
          .quantization = sums[kQuantization],
          .collaborative = sums[kCollaborative],
          .diversity = sums[kDiversity]};
}

RqvaeLosses RqvaeObjective::means(const RqvaeLosses& sums, std::int64_t items) const {
  const auto count = static_cast<double>(items);
  RqvaeLosses means{.reconstruction = sums.reconstruction / count,
                    .quantization = sums.quantization / count,
                    .collaborative = sums.collaborative / count,
                    .diversity = sums.diversity / count};
  means.total = means.reconstruction +
                options_.quantization_weight * (means.quantization + options_.letter.beta * means.diversity) +
                options_.letter.alpha * means.collaborative;
  return means;
}

void RqvaeObjective::set_sums(const RqvaeLosses& sums) {
  const RqvaeLosses own = world_.is_root() ? sums : RqvaeLosses();  // they are of all ranks
  sums_ = at::tensor({own.reconstruction, own.quantization, own.collaborative, own.diversity}, at::kDouble)
              .to(model_.device());
}

at::Tensor RqvaeObjective::cluster_labels() const {
  return clusters_ ? clusters_->labels() : at::Tensor();
}

void RqvaeObjective::set_cluster_labels(const at::Tensor& labels) {
  clusters_.emplace(labels, model_.device());
}

}  // namespace genrec
