#include "model/feed_forward.h"

#include "nn/activation.h"
#include "nn/products.h"
#include "nn/rms_norm.h"

namespace genrec {

FeedForward::FeedForward(ParameterStore& store, const std::string& prefix, const T5Config& config,
                         std::int64_t layer, bool decoder)
    : layer_(layer), decoder_(decoder), gated_(config.gated_gelu), epsilon_(config.layer_norm_epsilon) {
  const std::string own = prefix + "DenseReluDense.";
  const std::vector<std::int64_t> shape{config.d_ff, config.d_model};
  input_ = gated_ ? store.add_stacked({own + "wi_0.weight", own + "wi_1.weight"}, shape)
                  : store.add(own + "wi.weight", shape, true);
  output_ = store.add(own + "wo.weight", {config.d_model, config.d_ff}, true);
  norm_ = store.add(prefix + "layer_norm.weight", {config.d_model}, false);
}

at::Tensor FeedForward::forward(const ParameterStore& store, const at::Tensor& x, const StackPass& pass,
                                Tape* tape) const {
  Tape local;
  Tape& t = tape != nullptr ? *tape : local;
  const Dropout inside =
      pass.drop(decoder_ ? DropoutSite::kDecoderHidden : DropoutSite::kEncoderHidden, layer_);
  t.x = x;
  t.normed = rms_norm(x, store.value(norm_), epsilon_, pass.precision, tape != nullptr ? &t.rstd : nullptr);
  if (gated_) {
    t.both = linear_layer(t.normed, store.stacked_compute(input_, 2));
    t.hidden = gated_gelu_dropout(t.both, inside);
  } else {
    t.hidden = linear_layer(t.normed, store.compute(input_));
    relu_dropout(t.hidden, inside);
  }
  return add_dropout(
      x, linear_layer(t.hidden, store.compute(output_)),
      pass.drop(decoder_ ? DropoutSite::kDecoderFeedForward : DropoutSite::kEncoderFeedForward, layer_));
}

void FeedForward::backward(ParameterStore& store, Tape& tape, const at::Tensor& dx,
                           const StackPass& pass) const {
  const Dropout inside =
      pass.drop(decoder_ ? DropoutSite::kDecoderHidden : DropoutSite::kEncoderHidden, layer_);
  const at::Tensor dy = scaled_dropout(
      dx, 1,
      pass.drop(decoder_ ? DropoutSite::kDecoderFeedForward : DropoutSite::kEncoderFeedForward, layer_),
      pass.precision);
  add_weight_gradient(store.gradient(output_), dy, tape.hidden);
  pass.ready(output_);
  at::Tensor dhidden = linear_input_gradient(dy, store.compute(output_));
  const std::size_t matrices = gated_ ? 2 : 1;
  if (gated_) {
    dhidden = gated_gelu_dropout_backward(tape.both, dhidden, inside);
  } else {
    relu_dropout_backward(tape.hidden, dhidden, inside);
  }
  tape.both.reset();
  tape.hidden.reset();
  add_weight_gradient(store.stacked_gradient(input_, matrices), dhidden, tape.normed);
  for (std::size_t i = 0; i < matrices; ++i) pass.ready(input_ + i);
  const at::Tensor dnormed = linear_input_gradient(dhidden, store.stacked_compute(input_, matrices));
  rms_norm_backward(tape.x, store.value(norm_), tape.rstd, dnormed, dx, store.gradient(norm_));
  pass.ready(norm_);
  tape = Tape();
}

}  // namespace genrec
