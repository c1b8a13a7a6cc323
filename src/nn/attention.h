#pragma once
#include <ATen/ATen.h>

#include "nn/packed.h"

namespace genrec {

/// Multi-head attention of packed sequences without scaling, as in T5: queries of sequence s see the keys of
/// sequence s (with `causal` only those up to their own position).
struct AttentionSpec {
  const PackedLayout* queries = nullptr;
  const PackedLayout* keys = nullptr;
  std::int64_t heads = 1;
  bool causal = false;
  at::Tensor bias;  ///< [heads, 2 * longest - 1] float32 (bias_table), or undefined
  Dropout dropout;  ///< on probabilities, over the query tokens
};

/// q [query tokens, heads * dim], k and v [key tokens, heads * dim], rows may have gaps (views of a fused
/// product). Returns [query tokens, heads * dim] in their precision. `probabilities`, if wanted, receives
/// what the backward pass needs (softmax before dropout, float32).
[[nodiscard]] at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const AttentionSpec& spec, at::Tensor* probabilities);
/// Writes dq, dk, dv (views allowed as above) and adds to dbias (shape of spec.bias, if defined).
struct AttentionGradients {
  at::Tensor dq, dk, dv, dbias;
};
void attention_backward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        const at::Tensor& probabilities, const at::Tensor& dout, const AttentionSpec& spec,
                        const AttentionGradients& gradients);

/// The same by ATen operations on padded copies; any device. attention() calls these where there are no
/// kernels.
[[nodiscard]] at::Tensor attention_composite(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                             const AttentionSpec& spec, at::Tensor* probabilities);
void attention_composite_backward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                  const at::Tensor& probabilities, const at::Tensor& dout,
                                  const AttentionSpec& spec, const AttentionGradients& gradients);

}  // namespace genrec
