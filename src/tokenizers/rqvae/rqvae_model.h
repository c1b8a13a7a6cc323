#pragma once
#include <ATen/ATen.h>

#include <cstdint>

#include "nn/autograd_leaves.h"
#include "nn/mlp.h"
#include "nn/parameter_store.h"
#include "nn/residual_quantizer.h"
#include "tokenizers/rqvae/rqvae_options.h"

namespace genrec {

/// What encoding leaves of items; without gradients.
struct EncodedRows {
  at::Tensor codes;           ///< [n, levels] int64
  at::Tensor last_residuals;  ///< [n, dim]: what the last level was given
  at::Tensor square_norms;  ///< [levels + 1] float64: sums over the rows of |z|^2 and of what each level left
};

/// Encoder, residual quantiser and decoder over one parameter store: encoder.0.weight ...,
/// quantizer.codebooks, decoder.0.weight ...
class RqvaeModel {
 public:
  /// `width`: of the embeddings. Only the options of the network and its gradient are read.
  RqvaeModel(std::int64_t width, const RqvaeOptions& options, at::Device device, Precision precision);
  RqvaeModel(const RqvaeModel&) = delete;
  RqvaeModel& operator=(const RqvaeModel&) = delete;

  /// Encoder and decoder, and uniform codebooks.
  void initialise(std::uint64_t seed);
  [[nodiscard]] ParameterStore& parameters() { return store_; }
  [[nodiscard]] const AutogradLeaves& leaves() const { return leaves_; }
  [[nodiscard]] const Mlp& encoder() const { return encoder_; }
  [[nodiscard]] const Mlp& decoder() const { return decoder_; }
  [[nodiscard]] const ResidualQuantizer& quantizer() const { return quantizer_; }
  /// The codebooks [levels, codes, dim] as autograd's leaf.
  [[nodiscard]] const at::Tensor& codebook_leaf() const { return leaves_[quantizer_.parameter()]; }
  [[nodiscard]] std::int64_t width() const { return encoder_.widths().front(); }
  [[nodiscard]] at::Device device() const { return store_.device(); }

  /// Codes of embeddings [n, width] by argmin at every level, without dropout, in float32 where nothing else is
  /// asked for. In blocks of rows, so that memory is bounded.
  [[nodiscard]] EncodedRows encode(const at::Tensor& embeddings,
                                   Precision precision = Precision::kFloat32) const;
  /// z [n, dim] likewise.
  [[nodiscard]] at::Tensor latent(const at::Tensor& embeddings) const;

 private:
  ParameterStore store_;
  Mlp encoder_;
  ResidualQuantizer quantizer_;
  Mlp decoder_;
  AutogradLeaves leaves_;
};

}  // namespace genrec
