#include "tokenizers/rqvae/rqvae_model.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <vector>

namespace genrec {
namespace {

constexpr std::int64_t kBlock = 8192;  ///< rows that are encoded at once

std::vector<std::int64_t> encoder_widths(std::int64_t width, const RqvaeOptions& options) {
  std::vector<std::int64_t> widths = {width};
  widths.insert(widths.end(), options.hidden.begin(), options.hidden.end());
  widths.push_back(options.dim);
  return widths;
}

std::vector<std::int64_t> decoder_widths(std::int64_t width, const RqvaeOptions& options) {
  std::vector<std::int64_t> widths = encoder_widths(width, options);
  std::reverse(widths.begin(), widths.end());
  return widths;
}

ResidualQuantizerOptions quantizer_options(const RqvaeOptions& options) {
  return {.levels = options.levels,
          .codes = options.codes,
          .dim = options.dim,
          .commitment = options.commitment,
          .paper_gradient = options.gradient == "paper"};
}

/// Calls `work` with blocks of rows, once also where there is no row.
template <typename Work>
void for_each_block(const at::Tensor& rows, Work work) {
  std::int64_t begin = 0;
  do {
    const std::int64_t count = std::min(kBlock, rows.size(0) - begin);
    work(rows.narrow(0, begin, count));
    begin += count;
  } while (begin < rows.size(0));
}

/// The leaves need the store's buffers.
ParameterStore& allocated(ParameterStore& store) {
  store.allocate();
  return store;
}

}  // namespace

RqvaeModel::RqvaeModel(std::int64_t width, const RqvaeOptions& options, at::Device device,
                       Precision precision)
    : store_(device, precision),
      encoder_(store_, "encoder", encoder_widths(width, options)),
      quantizer_(store_, "quantizer", quantizer_options(options)),
      decoder_(store_, "decoder", decoder_widths(width, options)),
      leaves_(allocated(store_)) {}

void RqvaeModel::initialise(std::uint64_t seed) {
  encoder_.initialise(seed);
  quantizer_.initialise(seed);
  decoder_.initialise(seed);
}

EncodedRows RqvaeModel::encode(const at::Tensor& embeddings, Precision precision) const {
  const at::NoGradGuard no_gradients;
  const std::int64_t last = quantizer_.options().levels - 1;
  std::vector<at::Tensor> codes, residuals;
  EncodedRows all;
  for_each_block(embeddings, [&](const at::Tensor& block) {
    const ResidualCodes found = quantizer_.encode(encoder_.infer(block, precision));
    codes.push_back(found.codes);
    residuals.push_back(found.residuals.select(0, last).clone());
    const at::Tensor norms = found.residuals.square().sum(2).sum(1, /*keepdim=*/false, at::kDouble);
    all.square_norms = all.square_norms.defined() ? all.square_norms + norms : norms;
  });
  all.codes = at::cat(codes, 0);
  all.last_residuals = at::cat(residuals, 0);
  return all;
}

at::Tensor RqvaeModel::latent(const at::Tensor& embeddings) const {
  std::vector<at::Tensor> parts;
  for_each_block(embeddings, [&](const at::Tensor& block) { parts.push_back(encoder_.infer(block)); });
  return at::cat(parts, 0);
}

}  // namespace genrec
