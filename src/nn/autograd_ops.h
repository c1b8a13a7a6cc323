#pragma once
#include <ATen/ATen.h>

#include "nn/attention.h"
#include "nn/packed.h"

namespace genrec {

// Operations of this folder as functions that autograd can differentiate (once), for models that leave their
// backward pass to it.

/// Dropout by key of x [tokens, n] float32; x itself when it is off.
[[nodiscard]] at::Tensor dropped(const at::Tensor& x, const Dropout& dropout);

/// Self-attention of packed sequences: qkv [tokens, 3 * heads * dim] float32 holds queries, keys and values
/// side by side; scores are multiplied with `scale`. `spec` as in attention(), without bias; its layouts must
/// live until the backward pass. Returns [tokens, heads * dim].
[[nodiscard]] at::Tensor packed_self_attention(const at::Tensor& qkv, const AttentionSpec& spec,
                                               double scale);

}  // namespace genrec
