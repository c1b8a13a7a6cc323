#include "model/self_attention.h"

#include "nn/activation.h"
#include "nn/products.h"
#include "nn/rms_norm.h"

namespace genrec {

SelfAttention::SelfAttention(ParameterStore& store, const std::string& prefix, const T5Config& config,
                             std::int64_t layer, bool decoder)
    : layer_(layer),
      heads_(config.num_heads),
      inner_(config.inner()),
      decoder_(decoder),
      epsilon_(config.layer_norm_epsilon) {
  const std::string own = prefix + "SelfAttention.";
  qkv_ = store.add_stacked({own + "q.weight", own + "k.weight", own + "v.weight"}, {inner_, config.d_model});
  output_ = store.add(own + "o.weight", {config.d_model, inner_}, true);
  if (layer == 0) {
    bias_ = store.add(own + "relative_attention_bias.weight", {config.relative_attention_num_buckets, heads_},
                      false);
  }
  norm_ = store.add(prefix + "layer_norm.weight", {config.d_model}, false);
}

AttentionSpec SelfAttention::spec(const StackPass& pass) const {
  AttentionSpec spec;
  spec.queries = spec.keys = pass.layout;
  spec.heads = heads_;
  spec.causal = decoder_;
  spec.bias = pass.bias;
  spec.dropout = pass.drop(decoder_ ? DropoutSite::kDecoderSelf : DropoutSite::kEncoderSelf, layer_);
  return spec;
}

at::Tensor SelfAttention::forward(const ParameterStore& store, const at::Tensor& x, const StackPass& pass,
                                  Tape* tape) const {
  Tape local;
  Tape& t = tape != nullptr ? *tape : local;
  t.x = x;
  t.normed = rms_norm(x, store.value(norm_), epsilon_, pass.precision, tape != nullptr ? &t.rstd : nullptr);
  t.qkv = linear_layer(t.normed, store.stacked_compute(qkv_, 3));
  t.context = attention(t.qkv.narrow(1, 0, inner_), t.qkv.narrow(1, inner_, inner_),
                        t.qkv.narrow(1, 2 * inner_, inner_), spec(pass),
                        tape != nullptr ? &t.probabilities : nullptr);
  return add_dropout(
      x, linear_layer(t.context, store.compute(output_)),
      pass.drop(decoder_ ? DropoutSite::kDecoderSelfOutput : DropoutSite::kEncoderSelfOutput, layer_));
}

void SelfAttention::backward(ParameterStore& store, Tape& tape, const at::Tensor& dx,
                             const StackPass& pass) const {
  const at::Tensor dy = scaled_dropout(
      dx, 1, pass.drop(decoder_ ? DropoutSite::kDecoderSelfOutput : DropoutSite::kEncoderSelfOutput, layer_),
      pass.precision);
  add_weight_gradient(store.gradient(output_), dy, tape.context);
  pass.ready(output_);
  const at::Tensor dcontext = linear_input_gradient(dy, store.compute(output_));
  tape.context.reset();
  at::Tensor dqkv = at::empty_like(tape.qkv);
  const AttentionGradients gradients{dqkv.narrow(1, 0, inner_), dqkv.narrow(1, inner_, inner_),
                                     dqkv.narrow(1, 2 * inner_, inner_), pass.dbias};
  attention_backward(tape.qkv.narrow(1, 0, inner_), tape.qkv.narrow(1, inner_, inner_),
                     tape.qkv.narrow(1, 2 * inner_, inner_), tape.probabilities, dcontext, spec(pass),
                     gradients);
  tape.qkv.reset();
  tape.probabilities.reset();
  add_weight_gradient(store.stacked_gradient(qkv_, 3), dqkv, tape.normed);
  for (std::size_t i = 0; i < 3; ++i) pass.ready(qkv_ + i);
  const at::Tensor dnormed = linear_input_gradient(dqkv, store.stacked_compute(qkv_, 3));
  rms_norm_backward(tape.x, store.value(norm_), tape.rstd, dnormed, dx, store.gradient(norm_));
  pass.ready(norm_);
  tape = Tape();
}

at::Tensor SelfAttention::project(const ParameterStore& store, const at::Tensor& x,
                                  at::ScalarType precision) const {
  return linear_layer(rms_norm(x, store.value(norm_), epsilon_, precision, nullptr),
                      store.stacked_compute(qkv_, 3));
}

at::Tensor SelfAttention::finish(const ParameterStore& store, const at::Tensor& x,
                                 const at::Tensor& context) const {
  return add_dropout(x, linear_layer(context, store.compute(output_)), Dropout());
}

}  // namespace genrec
