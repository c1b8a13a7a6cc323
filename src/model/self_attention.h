#pragma once
#include <ATen/ATen.h>

#include <string>

#include "model/stack_pass.h"
#include "model/t5_config.h"
#include "nn/attention.h"
#include "nn/parameter_store.h"

namespace genrec {

/// x + dropout(o(attention(norm(x)))): bidirectional in the encoder, causal in the decoder.
class SelfAttention {
 public:
  /// What backward() needs of forward().
  struct Tape {
    at::Tensor x, normed, rstd, qkv, probabilities, context;
  };

  /// Declares "<prefix>SelfAttention.{q,k,v,o}.weight" and "<prefix>layer_norm.weight"; in layer 0 also the
  /// stack's relative_attention_bias.
  SelfAttention(ParameterStore& store, const std::string& prefix, const T5Config& config, std::int64_t layer,
                bool decoder);
  /// x [tokens, d_model] float32; returns the same shape.
  [[nodiscard]] at::Tensor forward(const ParameterStore& store, const at::Tensor& x, const StackPass& pass,
                                   Tape* tape) const;
  /// dx: gradient of the result on entry, of x on return. Empties the tape.
  void backward(ParameterStore& store, Tape& tape, const at::Tensor& dx, const StackPass& pass) const;

  /// Decoding one token a row: queries, keys and values of the rows [rows, 3 * inner] ...
  [[nodiscard]] at::Tensor project(const ParameterStore& store, const at::Tensor& x,
                                   at::ScalarType precision) const;
  /// ... and what is left to do with the mixed values.
  [[nodiscard]] at::Tensor finish(const ParameterStore& store, const at::Tensor& x,
                                  const at::Tensor& context) const;

  /// Parameter [buckets, heads]; only in layer 0.
  [[nodiscard]] std::size_t bias_parameter() const { return bias_; }

 private:
  [[nodiscard]] AttentionSpec spec(const StackPass& pass) const;

  std::int64_t layer_, heads_, inner_;
  bool decoder_;
  double epsilon_;
  std::size_t qkv_, output_, norm_, bias_ = 0;
};

}  // namespace genrec
