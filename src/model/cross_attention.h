#pragma once
#include <ATen/ATen.h>

#include <string>

#include "model/stack_pass.h"
#include "model/t5_config.h"
#include "nn/attention.h"
#include "nn/parameter_store.h"

namespace genrec {

/// x + dropout(o(attention(norm(x), encoder output))) in the decoder; no position bias.
class CrossAttention {
 public:
  struct Tape {
    at::Tensor x, normed, rstd, q, kv, probabilities, context, memory;
  };

  /// Declares "<prefix>EncDecAttention.{q,k,v,o}.weight" and "<prefix>layer_norm.weight".
  CrossAttention(ParameterStore& store, const std::string& prefix, const T5Config& config,
                 std::int64_t layer);
  /// Keys and values of the encoder's output: [source tokens, 2 * inner].
  [[nodiscard]] at::Tensor keys_values(const ParameterStore& store, const at::Tensor& memory) const;
  /// x [tokens, d_model] float32, `kv` from keys_values(memory); `memory` is kept for backward().
  [[nodiscard]] at::Tensor forward(const ParameterStore& store, const at::Tensor& x, const at::Tensor& kv,
                                   const at::Tensor& memory, const StackPass& pass, Tape* tape) const;
  /// dx in place as in SelfAttention; dmemory [source tokens, d_model] float32 +=.
  void backward(ParameterStore& store, Tape& tape, const at::Tensor& dx, const at::Tensor& dmemory,
                const StackPass& pass) const;

  /// Decoding: queries of the rows [rows, inner] ...
  [[nodiscard]] at::Tensor project(const ParameterStore& store, const at::Tensor& x,
                                   at::ScalarType precision) const;
  /// ... and what is left to do with the mixed values.
  [[nodiscard]] at::Tensor finish(const ParameterStore& store, const at::Tensor& x,
                                  const at::Tensor& context) const;

 private:
  [[nodiscard]] AttentionSpec spec(const StackPass& pass) const;

  std::int64_t layer_, heads_, inner_;
  double epsilon_;
  std::size_t q_, kv_, output_, norm_;
};

}  // namespace genrec
