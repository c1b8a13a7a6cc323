#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

namespace genrec {

/// Self-attention of one decoding step. kv[s] [rows of step s, 2 * heads * dim] holds keys, then values; row
/// r of q sees row paths[r * steps + s] of step s, s = 0 .. steps - 1 (the last is the row itself), so beams
/// share their past without copies. `bias` [heads, steps] float32. Returns [rows, heads * dim].
[[nodiscard]] at::Tensor step_attention(const at::Tensor& q, const std::vector<at::Tensor>& kv,
                                        std::span<const std::int32_t> paths, const at::Tensor& bias);

}  // namespace genrec
