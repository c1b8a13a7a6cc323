#pragma once
#include <ATen/ATen.h>

#include <span>

#include "base/types.h"
#include "nn/weight.h"

namespace genrec {

/// Sum of -log softmax(hidden weight^T / tau)[target] over rows. hidden [rows, n] and weight [vocabulary, n]
/// are in the products' precision. Logits exist for a chunk of rows at a time. With `dhidden` the gradients
/// are computed in the same go: dhidden [rows, n] float32, dweight [vocabulary, n] float32 +=. The sum is one
/// float64 on their device: reading it waits for the device.
[[nodiscard]] at::Tensor cross_entropy(const at::Tensor& hidden, const Weight& weight,
                                       std::span<const TokenId> targets, double tau, at::Tensor* dhidden,
                                       const at::Tensor& dweight);

/// log softmax(hidden weight^T)[row, candidates[j]] for j in offsets[row] .. offsets[row + 1], into `out`.
/// The candidates of a row ascend.
void log_probabilities(const at::Tensor& hidden, const Weight& weight, std::span<const std::int64_t> offsets,
                       std::span<const TokenId> candidates, std::span<float> out);

/// The same two by ATen operations, on any device; called where there are no kernels.
[[nodiscard]] at::Tensor cross_entropy_composite(const at::Tensor& hidden, const at::Tensor& weight,
                                                 std::span<const TokenId> targets, double tau,
                                                 at::Tensor* dhidden, const at::Tensor& dweight);
void log_probabilities_composite(const at::Tensor& hidden, const at::Tensor& weight,
                                 std::span<const std::int64_t> offsets, std::span<const TokenId> candidates,
                                 std::span<float> out);

}  // namespace genrec
