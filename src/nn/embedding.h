#pragma once
#include <ATen/ATen.h>

#include <span>

#include "base/types.h"
#include "nn/packed.h"

namespace genrec {

/// Rows of the table [vocabulary, n] float32 for the tokens, with dropout: [tokens, n] float32.
[[nodiscard]] at::Tensor embed(const at::Tensor& table, std::span<const TokenId> tokens,
                               const Dropout& dropout);
/// dtable += dx, with the dropout of the forward pass. Rows are added in the order of the tokens, whatever
/// the number of threads.
void embed_backward(const at::Tensor& dtable, std::span<const TokenId> tokens, const at::Tensor& dx,
                    const Dropout& dropout);

}  // namespace genrec
