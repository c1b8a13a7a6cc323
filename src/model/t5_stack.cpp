#include "model/t5_stack.h"

#include <utility>

#include "nn/activation.h"
#include "nn/embedding.h"
#include "nn/rms_norm.h"

namespace genrec {

T5Stack::T5Stack(ParameterStore& store, const T5Config& config, bool decoder, std::size_t embedding)
    : decoder_(decoder),
      epsilon_(config.layer_norm_epsilon),
      distances_(RelativeBuckets{config.relative_attention_num_buckets,
                                 config.relative_attention_max_distance, !decoder}),
      embedding_(embedding) {
  const std::string name = decoder ? "decoder." : "encoder.";
  const std::int64_t layers = decoder ? config.num_decoder_layers : config.num_layers;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const std::string block = name + "block." + std::to_string(layer) + ".layer.";
    SelfAttention self(store, block + "0.", config, layer, decoder);
    std::optional<CrossAttention> cross;
    if (decoder) cross.emplace(store, block + "1.", config, layer);
    FeedForward feed_forward(store, block + (decoder ? "2." : "1."), config, layer, decoder);
    blocks_.push_back({std::move(self), std::move(cross), std::move(feed_forward)});
  }
  final_norm_ = store.add(name + "final_layer_norm.weight", {config.d_model}, false);
}

at::Tensor T5Stack::bias(const ParameterStore& store, std::int64_t longest) const {
  const at::Tensor& weight = store.value(blocks_.front().self.bias_parameter());
  return bias_table(weight, distances_.of(longest, weight.device()));
}

void T5Stack::prepare(const ParameterStore& store, StackPass& pass) const {
  pass.bias = bias(store, pass.layout->longest);
}

at::Tensor T5Stack::final_norm(const ParameterStore& store, const at::Tensor& x, at::Tensor* rstd) const {
  return rms_norm(x, store.value(final_norm_), epsilon_, at::kFloat, rstd);
}

at::Tensor T5Stack::forward(const ParameterStore& store, std::span<const TokenId> tokens,
                            const at::Tensor& memory, double factor, at::ScalarType precision,
                            const StackPass& pass, Tape* tape) const {
  if (tape != nullptr) tape->blocks.resize(blocks_.size());
  at::Tensor x =
      embed(store.value(embedding_), tokens,
            pass.drop(decoder_ ? DropoutSite::kDecoderEmbedding : DropoutSite::kEncoderEmbedding, 0));
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    BlockTape* kept = tape != nullptr ? &tape->blocks[i] : nullptr;
    x = block.self.forward(store, x, pass, kept != nullptr ? &kept->self : nullptr);
    if (block.cross) {
      x = block.cross->forward(store, x, block.cross->keys_values(store, memory), memory, pass,
                               kept != nullptr ? &kept->cross : nullptr);
    }
    x = block.feed_forward.forward(store, x, pass, kept != nullptr ? &kept->feed_forward : nullptr);
  }
  const at::Tensor normed = final_norm(store, x, tape != nullptr ? &tape->rstd : nullptr);
  if (tape != nullptr) tape->x = x;
  return scaled_dropout(normed, factor,
                        pass.drop(decoder_ ? DropoutSite::kDecoderFinal : DropoutSite::kEncoderFinal, 0),
                        precision);
}

void T5Stack::backward(ParameterStore& store, std::span<const TokenId> tokens, const at::Tensor& dout,
                       double factor, const at::Tensor& dmemory, StackPass& pass, Tape& tape) const {
  const at::Tensor dnormed = scaled_dropout(
      dout, factor, pass.drop(decoder_ ? DropoutSite::kDecoderFinal : DropoutSite::kEncoderFinal, 0),
      at::kFloat);
  at::Tensor dx = at::zeros_like(dnormed);
  rms_norm_backward(tape.x, store.value(final_norm_), tape.rstd, dnormed, dx, store.gradient(final_norm_));
  pass.ready(final_norm_);
  pass.dbias = at::zeros_like(pass.bias);
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    const Block& block = blocks_[i];
    BlockTape& kept = tape.blocks[i];
    block.feed_forward.backward(store, kept.feed_forward, dx, pass);
    if (block.cross) block.cross->backward(store, kept.cross, dx, dmemory, pass);
    block.self.backward(store, kept.self, dx, pass);
  }
  const std::size_t bias = blocks_.front().self.bias_parameter();
  add_bias_gradient(pass.dbias, distances_.of(pass.layout->longest, pass.dbias.device()),
                    store.gradient(bias));
  pass.ready(bias);
  embed_backward(store.gradient(embedding_), tokens, dx,
                 pass.drop(decoder_ ? DropoutSite::kDecoderEmbedding : DropoutSite::kEncoderEmbedding, 0));
}

}  // namespace genrec
