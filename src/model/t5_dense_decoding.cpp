// Decoding steps of which every tensor stays on the device; DecoderState's ragged rows are for the CPU.
#include "model/dense_state.h"
#include "model/t5_impl.h"
#include "nn/activation.h"
#include "nn/products.h"

namespace genrec {
namespace {

constexpr double kHidden = -3.0e38;

/// q [rows, inner] sees past [rows, steps, 2 * inner]; bias [heads, steps]. Returns [rows, inner] like q.
at::Tensor attend_past(const at::Tensor& q, const at::Tensor& past, const at::Tensor& bias) {
  const std::int64_t rows = q.size(0), heads = bias.size(0), dim = q.size(1) / heads, steps = past.size(1);
  const at::Tensor all = past.to(at::kFloat).view({rows, steps, 2, heads, dim});
  const at::Tensor keys = all.select(2, 0).permute({0, 2, 3, 1}), values = all.select(2, 1).transpose(1, 2);
  const at::Tensor scores = at::matmul(q.to(at::kFloat).view({rows, heads, 1, dim}), keys);
  const at::Tensor p = at::softmax(scores + bias.view({1, heads, 1, steps}), -1);
  return at::matmul(p, values).reshape({rows, heads * dim}).to(q.scalar_type());
}

/// q [sequences * beams, inner] sees its sequence's source, which all beams share.
at::Tensor attend_memory(const at::Tensor& q, const DenseState::Layer& layer, const at::Tensor& padding) {
  const std::int64_t sequences = padding.size(0), heads = layer.memory_keys.size(1), dim = q.size(1) / heads;
  const at::Tensor queries = q.to(at::kFloat).view({sequences, -1, heads, dim}).transpose(1, 2);
  const at::Tensor p = at::softmax(at::matmul(queries, layer.memory_keys) + padding, -1);
  return at::matmul(p, layer.memory_values)
      .transpose(1, 2)
      .reshape({q.size(0), heads * dim})
      .to(q.scalar_type());
}

}  // namespace

std::unique_ptr<DenseState> T5Model::start_dense_decoding(const PackedSequences& source,
                                                          std::int64_t steps) const {
  const Impl& m = *impl_;
  check_tokens(source, m.config.vocab_size, "source");
  const PackedLayout layout(source.offsets, m.store.device());
  const at::Tensor memory = m.memory(layout, source.tokens, m.precision);
  const PaddedIndex& index = layout.padded_index();
  const std::int64_t sequences = layout.sequences(), longest = layout.longest, heads = m.config.num_heads;
  auto state = std::make_unique<DenseState>();
  state->padding = index.used.eq(0).to(at::kFloat).mul_(kHidden).view({sequences, 1, 1, longest});
  state->bias = m.decoder.bias(m.store, steps).narrow(1, 0, steps);
  for (const T5Stack::Block& block : m.decoder.blocks()) {
    const at::Tensor kv =
        block.cross->keys_values(m.store, memory).index_select(0, index.to_padded).to(at::kFloat);
    const at::Tensor wide = kv.view({sequences, longest, 2, heads, -1});
    state->layers.push_back({wide.select(2, 0).permute({0, 2, 3, 1}).contiguous(),
                             wide.select(2, 1).transpose(1, 2).contiguous(), at::Tensor()});
  }
  return state;
}

at::Tensor T5Model::dense_step(DenseState& state, const at::Tensor& tokens, const at::Tensor& parents) const {
  const Impl& m = *impl_;
  const std::int64_t rows = tokens.size(0), inner = m.config.inner();
  const std::int64_t steps = ++state.steps;
  const PackedLayout layout({0, rows}, m.store.device());
  StackPass pass;
  pass.layout = &layout;
  pass.precision = m.precision;
  const at::Tensor bias = state.bias.narrow(1, state.bias.size(1) - steps, steps);

  at::Tensor x = m.store.value(m.shared).index_select(0, tokens);
  for (std::size_t i = 0; i < m.decoder.blocks().size(); ++i) {
    const T5Stack::Block& block = m.decoder.blocks()[i];
    DenseState::Layer& layer = state.layers[i];
    const at::Tensor qkv = block.self.project(m.store, x, m.precision);
    const at::Tensor now = qkv.narrow(1, inner, 2 * inner).unsqueeze(1);
    layer.past = steps == 1 ? now : at::cat({layer.past.index_select(0, parents), now}, 1);
    x = block.self.finish(m.store, x, attend_past(qkv.narrow(1, 0, inner), layer.past, bias));
    const at::Tensor q = block.cross->project(m.store, x, m.precision);
    x = block.cross->finish(m.store, x, attend_memory(q, layer, state.padding));
    x = block.feed_forward.forward(m.store, x, pass, nullptr);
  }
  const at::Tensor hidden =
      scaled_dropout(m.decoder.final_norm(m.store, x, nullptr), m.output_scale(), Dropout(), m.precision);
  return linear_layer(hidden, m.store.compute(m.head)).to(at::kFloat);
}

}  // namespace genrec
