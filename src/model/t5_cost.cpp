#include "model/t5_cost.h"

namespace genrec {

T5Cost::T5Cost(const T5Config& config)
    : d_(static_cast<double>(config.d_model)),
      inner_(static_cast<double>(config.inner())),
      feed_forward_((config.gated_gelu ? 3 : 2) * d_ * static_cast<double>(config.d_ff)),
      vocabulary_(static_cast<double>(config.vocab_size)),
      encoder_layers_(static_cast<double>(config.num_layers)),
      decoder_layers_(static_cast<double>(config.num_decoder_layers)) {
  const double attention = 4 * d_ * inner_, norm = d_;
  const auto biases = static_cast<double>(2 * config.relative_attention_num_buckets * config.num_heads);
  parameters_ = vocabulary_ * d_ * (config.tied_head ? 1 : 2) + biases + 2 * norm +
                encoder_layers_ * (attention + feed_forward_ + 2 * norm) +
                decoder_layers_ * (2 * attention + feed_forward_ + 3 * norm);
}

double T5Cost::encode(double source) const {
  const double layer = 4 * d_ * inner_ + feed_forward_ + 2 * inner_ * source;
  return 2 * source * (encoder_layers_ * layer + decoder_layers_ * 2 * d_ * inner_);
}

double T5Cost::decode_row(double source, double past) const {
  // Self-attention has four products, the cross-attention two: its keys and values are the encoder's.
  const double layer = 6 * d_ * inner_ + feed_forward_ + 2 * inner_ * (past + source);
  return 2 * (decoder_layers_ * layer + d_ * vocabulary_);
}

double T5Cost::train(SequenceLengths lengths) const {
  const double forward =
      encode(lengths.source) + lengths.target * decode_row(lengths.source, (lengths.target + 1) / 2);
  return 3 * forward;
}

double T5Cost::search(double source, double beams, double identifier) const {
  return encode(source) + decode_row(source, 1) +
         beams * identifier * decode_row(source, (identifier + 3) / 2);
}

}  // namespace genrec
