#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "data/dataset.h"

namespace genrec {

/// Euclidean norms of some items' vectors; all 0 where there is no item.
struct NormRange {
  std::int64_t items = 0;
  double min = 0, mean = 0, max = 0;
};

/// Apart for items of some user's training part and for all others. The loss only pushes the latter away, and
/// Adam's steps are as long for a small gradient as for a large one: theirs tend to be the largest.
struct VectorNorms {
  NormRange trained, unseen;
};

/// How often each item is in the training parts of the users of all ranks, [items]. Collective.
[[nodiscard]] std::vector<std::int64_t> training_counts(const Dataset& dataset, Communicator& world);

/// `vectors` [items, width] float32 on the host, `counts` as of training_counts().
[[nodiscard]] VectorNorms norms_of(const at::Tensor& vectors, std::span<const std::int64_t> counts);

/// The vectors times the one factor that makes the mean norm of the trained items `norm`, so that angles and
/// proportions stay. LETTER's collaborative loss takes inner products with them at temperature 1: their size
/// weighs as much as its alpha. A copy. Throws DataError where the mean is 0.
[[nodiscard]] at::Tensor with_mean_norm(const at::Tensor& vectors, std::span<const std::int64_t> counts,
                                        double norm);

/// For the log: "norms of vectors: 0.21 to 0.63, mean 0.31 (items: 12101)".
[[nodiscard]] std::string describe(const VectorNorms& norms);

}  // namespace genrec
