#include "base/error.h"
#include "model/decoder_state.h"
#include "model/t5_impl.h"
#include "nn/activation.h"
#include "nn/cross_entropy.h"
#include "nn/embedding.h"
#include "nn/step_attention.h"

namespace genrec {
namespace {

/// Offsets of the rows of each sequence; rows are sorted by sequence.
PackedLayout rows_by_sequence(std::span<const std::int32_t> sequences, std::int64_t count,
                              at::Device device) {
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(count) + 1, 0);
  for (std::int32_t s : sequences) ++offsets[static_cast<std::size_t>(s) + 1];
  for (std::size_t s = 1; s < offsets.size(); ++s) offsets[s] += offsets[s - 1];
  return PackedLayout(std::move(offsets), device);
}

}  // namespace

std::unique_ptr<DecoderState> T5Model::start_decoding(const PackedSequences& source) const {
  const Impl& m = *impl_;
  check_tokens(source, m.config.vocab_size, "source");
  auto state = std::make_unique<DecoderState>(PackedLayout(source.offsets, m.store.device()));
  const at::Tensor memory = m.memory(state->source, source.tokens, m.precision);
  for (const T5Stack::Block& block : m.decoder.blocks()) {
    state->memory.push_back(block.cross->keys_values(m.store, memory));
  }
  state->past.resize(m.decoder.blocks().size());
  return state;
}

at::Tensor T5Model::decode_step(DecoderState& state, std::span<const TokenId> tokens,
                                std::span<const std::int32_t> parents,
                                std::span<const std::int32_t> sequences) const {
  const Impl& m = *impl_;
  const auto rows = static_cast<std::int64_t>(tokens.size());
  const std::int64_t inner = m.config.inner();
  const PackedLayout layout = rows_by_sequence(sequences, state.source.sequences(), m.store.device());
  state.extend_paths(parents, rows);
  StackPass pass;
  pass.layout = &layout;
  pass.source = &state.source;
  pass.precision = m.precision;
  // The causal half of the table: distances -(steps - 1) .. 0.
  const at::Tensor bias = m.decoder.bias(m.store, state.steps).narrow(1, 0, state.steps).contiguous();

  at::Tensor x = embed(m.store.value(m.shared), tokens, Dropout());
  for (std::size_t layer = 0; layer < m.decoder.blocks().size(); ++layer) {
    const T5Stack::Block& block = m.decoder.blocks()[layer];
    const at::Tensor qkv = block.self.project(m.store, x, m.precision);
    state.past[layer].push_back(qkv.narrow(1, inner, 2 * inner));
    const at::Tensor context = step_attention(qkv.narrow(1, 0, inner), state.past[layer], state.paths, bias);
    x = block.self.finish(m.store, x, context);
    x = block.cross->forward(m.store, x, state.memory[layer], at::Tensor(), pass, nullptr);
    x = block.feed_forward.forward(m.store, x, pass, nullptr);
  }
  return scaled_dropout(m.decoder.final_norm(m.store, x, nullptr), m.output_scale(), Dropout(), m.precision);
}

void T5Model::score(const at::Tensor& hidden, std::span<const std::int64_t> offsets,
                    std::span<const TokenId> candidates, std::span<float> out) const {
  log_probabilities(hidden, impl_->store.compute(impl_->head), offsets, candidates, out);
}

}  // namespace genrec
