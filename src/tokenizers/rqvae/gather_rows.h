#pragma once
#include <ATen/ATen.h>

#include <cstdint>

#include "comm/communicator.h"

namespace genrec {

/// The rows of all ranks, in the order of the ranks.
struct GatheredRows {
  at::Tensor rows;             ///< [all, columns], on the device of one's own
  std::int64_t first_own = 0;  ///< where one's own begin
};

/// `mine` [rows, columns]: any number of rows, the same type and columns on every rank. Collective; with one
/// rank `mine` itself.
[[nodiscard]] GatheredRows gather_rows(const at::Tensor& mine, Communicator& world);

/// Gives every rank the root's `values`, of equal shape and type everywhere, in place. Collective.
void broadcast_tensor(const at::Tensor& values, Communicator& world);

/// Sums `values` float64 over ranks, in place. Collective.
void sum_over_ranks(const at::Tensor& values, Communicator& world);

}  // namespace genrec
