#pragma once
#include "model/t5_config.h"

namespace genrec {

/// Mean tokens of a sequence pair, end tokens included.
struct SequenceLengths {
  double source = 0, target = 0;
};

/// Floating-point operations that T5 needs (a multiply-add is two) in products, attention included; padding,
/// norms, softmax and dropout are not counted. Length means stand for lengths, so attention is a little too
/// low.
class T5Cost {
 public:
  explicit T5Cost(const T5Config& config);

  /// Weights, embeddings included.
  [[nodiscard]] double parameters() const { return parameters_; }
  /// Of a sample's forward and backward pass.
  [[nodiscard]] double train(SequenceLengths lengths) const;
  /// Encoder, and the keys and values of the cross-attention.
  [[nodiscard]] double encode(double source) const;
  /// Of a sequence's beam search that is scored over the whole vocabulary: one row at first, then `beams` for
  /// each of `identifier` tokens (the last to score the end token).
  [[nodiscard]] double search(double source, double beams, double identifier) const;

 private:
  /// Of a decoder's row that sees `past` tokens (itself included) and the source, output layer included.
  [[nodiscard]] double decode_row(double source, double past) const;

  double d_, inner_, feed_forward_, vocabulary_, encoder_layers_, decoder_layers_;
  double parameters_ = 0;
};

}  // namespace genrec
