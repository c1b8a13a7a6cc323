#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <functional>

namespace genrec {

/// Sinkhorn-Knopp assignment of residuals to codes (method 1.4): a soft assignment of B rows to K codes such
/// that every code gets the same share of the rows, sharper for a smaller epsilon.
struct SinkhornOptions {
  double epsilon = 0.003;  ///< of distances scaled to [-1, 1]; at least 0.0029, else float64 underflows
  std::int64_t iterations = 50;
};

/// For a batch that is spread over ranks: each callable replaces the elements of a contiguous float64 tensor
/// (on the distances' device) by their sums or maxima over ranks. Every rank makes the same calls, also one
/// without rows. Empty: the batch is here.
struct SinkhornRanks {
  std::function<void(at::Tensor&)> sum_over_ranks;
  std::function<void(at::Tensor&)> max_over_ranks;
};

/// The plan times B, [B, K] float64: every column sums to B / K (over all ranks), and rows sum to about 1.
/// `distances` [B, K] of any floating type. Throws UsageError for an epsilon that is too small.
[[nodiscard]] at::Tensor sinkhorn_plan(const at::Tensor& distances, const SinkhornOptions& options = {},
                                       const SinkhornRanks& ranks = {});

/// The code [B] int64 of each row: the first of the largest in its row of the plan. What differs by rounding
/// alone (1e-12 of the largest) counts as equal, so that a single row, or rows that are all the same, get
/// code 0; so does a row of NaN.
[[nodiscard]] at::Tensor sinkhorn_codes(const at::Tensor& distances, const SinkhornOptions& options = {},
                                        const SinkhornRanks& ranks = {});

}  // namespace genrec
