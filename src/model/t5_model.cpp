#include "model/t5_model.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "model/t5_impl.h"
#include "nn/cross_entropy.h"
#include "nn/precision.h"
#include "nn/products.h"

namespace genrec {

T5Model::Impl::Impl(const T5Config& c, at::Device device, Precision p)
    : config(c),
      store(device, p),
      precision(scalar_type(p)),
      shared(store.add("shared.weight", {c.vocab_size, c.d_model}, true)),
      encoder(store, c, false, shared),
      decoder(store, c, true, shared),
      head(c.tied_head ? shared : store.add("lm_head.weight", {c.vocab_size, c.d_model}, true)) {
  store.allocate();
}

double T5Model::Impl::output_scale() const {
  return config.tied_head ? 1.0 / std::sqrt(static_cast<double>(config.d_model)) : 1.0;
}

StackPass T5Model::Impl::pass(const PackedLayout& layout, const PackedLayout* source, double dropout) const {
  StackPass p;
  p.layout = &layout;
  p.source = source;
  p.dropout = dropout;
  p.precision = precision;
  (source == nullptr ? encoder : decoder).prepare(store, p);
  return p;
}

at::Tensor T5Model::Impl::memory(const PackedLayout& layout, std::span<const TokenId> tokens,
                                 at::ScalarType type) const {
  return encoder.forward(store, tokens, at::Tensor(), 1, type, pass(layout, nullptr, 0), nullptr);
}

at::Tensor T5Model::Impl::hidden(const Seq2SeqBatch& batch) const {
  check_tokens(batch.source, config.vocab_size, "source");
  check_tokens(batch.target, config.vocab_size, "target");
  const PackedLayout source(batch.source.offsets, store.device()),
      target(batch.target.offsets, store.device());
  const at::Tensor encoded = memory(source, batch.source.tokens, precision);
  return decoder.forward(store, decoder_input(batch.target), encoded, output_scale(), precision,
                         pass(target, &source, 0), nullptr);
}

std::vector<TokenId> decoder_input(const PackedSequences& target) {
  std::vector<TokenId> input(target.tokens.size());
  for (std::size_t s = 0; s + 1 < target.offsets.size(); ++s) {
    TokenId previous = kPadToken;
    for (auto i = static_cast<std::size_t>(target.offsets[s]);
         i < static_cast<std::size_t>(target.offsets[s + 1]); ++i) {
      input[i] = std::exchange(previous, target.tokens[i]);
    }
  }
  return input;
}

void check_tokens(const PackedSequences& sequences, std::int64_t vocabulary, const char* what) {
  for (TokenId token : sequences.tokens) {
    if (token < 0 || token >= vocabulary) {
      throw DataError(std::string(what) + " token " + std::to_string(token) +
                      " is outside the model's vocabulary of " + std::to_string(vocabulary) +
                      "; load weights whose vocabulary has the identifier tokens");
    }
  }
  for (std::int64_t s = 0; s < sequences.sequences(); ++s) {
    const auto i = static_cast<std::size_t>(s);
    if (sequences.offsets[i + 1] <= sequences.offsets[i]) {
      throw DataError(std::string(what) + " sequence " + std::to_string(s) + " of a batch is empty");
    }
  }
}

T5Model::T5Model(const T5Config& config, at::Device device, Precision precision)
    : impl_(std::make_unique<Impl>(config, device, precision)) {}
T5Model::~T5Model() = default;

const T5Config& T5Model::config() const {
  return impl_->config;
}
ParameterStore& T5Model::parameters() {
  return impl_->store;
}
const ParameterStore& T5Model::parameters() const {
  return impl_->store;
}

at::Tensor T5Model::encode(const PackedSequences& source) const {
  check_tokens(source, impl_->config.vocab_size, "source");
  const PackedLayout layout(source.offsets, impl_->store.device());
  return impl_->memory(layout, source.tokens, at::kFloat);
}

at::Tensor T5Model::logits(const Seq2SeqBatch& batch) const {
  return linear_layer(impl_->hidden(batch), impl_->store.compute(impl_->head)).to(at::kFloat);
}

LossSum T5Model::loss(const Seq2SeqBatch& batch, double tau) const {
  const at::Tensor sum = cross_entropy(impl_->hidden(batch), impl_->store.compute(impl_->head),
                                       batch.target.tokens, tau, nullptr, at::Tensor());
  return {sum.item<double>(), batch.target.size()};
}

LossSum T5Model::accumulate_gradients(const Seq2SeqBatch& batch, const TrainingPass& options) {
  Impl& m = *impl_;
  check_tokens(batch.source, m.config.vocab_size, "source");
  check_tokens(batch.target, m.config.vocab_size, "target");
  PackedLayout source(batch.source.offsets, m.store.device()), target(batch.target.offsets, m.store.device());
  if (options.dropout > 0) {
    source.draw_keys(options.dropout_key, batch.keys);
    target.draw_keys(options.dropout_key, batch.keys);
  }
  const std::vector<TokenId> shifted = decoder_input(batch.target);
  StackPass encoding = m.pass(source, nullptr, options.dropout);
  StackPass decoding = m.pass(target, &source, options.dropout);
  encoding.on_gradient_ready = decoding.on_gradient_ready = &options.on_gradient_ready;

  T5Stack::Tape encoder_tape, decoder_tape;
  const at::Tensor memory =
      m.encoder.forward(m.store, batch.source.tokens, at::Tensor(), 1, m.precision, encoding, &encoder_tape);
  const at::Tensor hidden =
      m.decoder.forward(m.store, shifted, memory, m.output_scale(), m.precision, decoding, &decoder_tape);
  at::Tensor dhidden;
  const at::Tensor sum = cross_entropy(hidden, m.store.compute(m.head), batch.target.tokens, options.tau,
                                       &dhidden, m.store.gradient(m.head));
  if (m.head != m.shared) decoding.ready(m.head);
  at::Tensor dmemory = at::zeros({source.tokens(), m.config.d_model}, dhidden.options());
  m.decoder.backward(m.store, shifted, dhidden, m.output_scale(), dmemory, decoding, decoder_tape);
  m.encoder.backward(m.store, batch.source.tokens, dmemory, 1, at::Tensor(), encoding, encoder_tape);
  encoding.ready(m.shared);
  // Only here the host waits for a GPU: everything has been started.
  return {sum.item<double>(), batch.target.size()};
}

}  // namespace genrec
