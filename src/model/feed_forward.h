#pragma once
#include <ATen/ATen.h>

#include <string>

#include "model/stack_pass.h"
#include "model/t5_config.h"
#include "nn/parameter_store.h"

namespace genrec {

/// x + dropout(wo(dropout(activation(wi(norm(x)))))): ReLU (T5) or gated GELU (T5 v1.1).
class FeedForward {
 public:
  struct Tape {
    at::Tensor x, normed, rstd;
    at::Tensor both;    ///< gated: wi_0 and wi_1 of the input
    at::Tensor hidden;  ///< what wo reads
  };

  /// Declares "<prefix>DenseReluDense.{wi or wi_0, wi_1; wo}.weight" and "<prefix>layer_norm.weight".
  FeedForward(ParameterStore& store, const std::string& prefix, const T5Config& config, std::int64_t layer,
              bool decoder);
  [[nodiscard]] at::Tensor forward(const ParameterStore& store, const at::Tensor& x, const StackPass& pass,
                                   Tape* tape) const;
  /// dx in place as in SelfAttention.
  void backward(ParameterStore& store, Tape& tape, const at::Tensor& dx, const StackPass& pass) const;

 private:
  std::int64_t layer_;
  bool decoder_, gated_;
  double epsilon_;
  std::size_t input_, output_, norm_;
};

}  // namespace genrec
