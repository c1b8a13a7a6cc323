#include "model/cross_attention.h"

#include "nn/activation.h"
#include "nn/products.h"
#include "nn/rms_norm.h"

namespace genrec {

CrossAttention::CrossAttention(ParameterStore& store, const std::string& prefix, const T5Config& config,
                               std::int64_t layer)
    : layer_(layer), heads_(config.num_heads), inner_(config.inner()), epsilon_(config.layer_norm_epsilon) {
  const std::string own = prefix + "EncDecAttention.";
  q_ = store.add(own + "q.weight", {inner_, config.d_model}, true);
  kv_ = store.add_stacked({own + "k.weight", own + "v.weight"}, {inner_, config.d_model});
  output_ = store.add(own + "o.weight", {config.d_model, inner_}, true);
  norm_ = store.add(prefix + "layer_norm.weight", {config.d_model}, false);
}

AttentionSpec CrossAttention::spec(const StackPass& pass) const {
  AttentionSpec spec;
  spec.queries = pass.layout;
  spec.keys = pass.source;
  spec.heads = heads_;
  spec.dropout = pass.drop(DropoutSite::kDecoderCross, layer_);
  return spec;
}

at::Tensor CrossAttention::keys_values(const ParameterStore& store, const at::Tensor& memory) const {
  return linear_layer(memory, store.stacked_compute(kv_, 2));
}

at::Tensor CrossAttention::forward(const ParameterStore& store, const at::Tensor& x, const at::Tensor& kv,
                                   const at::Tensor& memory, const StackPass& pass, Tape* tape) const {
  Tape local;
  Tape& t = tape != nullptr ? *tape : local;
  t.x = x;
  t.kv = kv;
  t.memory = memory;
  t.normed = rms_norm(x, store.value(norm_), epsilon_, pass.precision, tape != nullptr ? &t.rstd : nullptr);
  t.q = linear_layer(t.normed, store.compute(q_));
  t.context = attention(t.q, kv.narrow(1, 0, inner_), kv.narrow(1, inner_, inner_), spec(pass),
                        tape != nullptr ? &t.probabilities : nullptr);
  return add_dropout(x, linear_layer(t.context, store.compute(output_)),
                     pass.drop(DropoutSite::kDecoderCrossOutput, layer_));
}

void CrossAttention::backward(ParameterStore& store, Tape& tape, const at::Tensor& dx,
                              const at::Tensor& dmemory, const StackPass& pass) const {
  const at::Tensor dy =
      scaled_dropout(dx, 1, pass.drop(DropoutSite::kDecoderCrossOutput, layer_), pass.precision);
  add_weight_gradient(store.gradient(output_), dy, tape.context);
  pass.ready(output_);
  const at::Tensor dcontext = linear_input_gradient(dy, store.compute(output_));
  at::Tensor dq = at::empty_like(tape.q), dkv = at::empty_like(tape.kv);
  attention_backward(tape.q, tape.kv.narrow(1, 0, inner_), tape.kv.narrow(1, inner_, inner_),
                     tape.probabilities, dcontext, spec(pass),
                     {dq, dkv.narrow(1, 0, inner_), dkv.narrow(1, inner_, inner_), at::Tensor()});
  add_weight_gradient(store.stacked_gradient(kv_, 2), dkv, tape.memory);
  for (std::size_t i = 0; i < 2; ++i) pass.ready(kv_ + i);
  add_linear_input_gradient(dmemory, dkv, store.stacked_compute(kv_, 2));
  add_weight_gradient(store.gradient(q_), dq, tape.normed);
  pass.ready(q_);
  const at::Tensor dnormed = linear_input_gradient(dq, store.compute(q_));
  rms_norm_backward(tape.x, store.value(norm_), tape.rstd, dnormed, dx, store.gradient(norm_));
  pass.ready(norm_);
  tape = Tape();
}

at::Tensor CrossAttention::project(const ParameterStore& store, const at::Tensor& x,
                                   at::ScalarType precision) const {
  return linear_layer(rms_norm(x, store.value(norm_), epsilon_, precision, nullptr), store.compute(q_));
}

at::Tensor CrossAttention::finish(const ParameterStore& store, const at::Tensor& x,
                                  const at::Tensor& context) const {
  return add_dropout(x, linear_layer(context, store.compute(output_)), Dropout());
}

}  // namespace genrec
