#pragma once
#include <cstdint>

#include "data/whole_dataset.h"

namespace genrec {

/// A dataset small enough for two cores and structured enough to learn from.
struct SyntheticOptions {
  std::int32_t users = 1200;
  std::int32_t items = 400;
  std::int32_t families = 8;  ///< coarse level of the planted taxonomy, at most 8
  std::int32_t groups = 5;    ///< groups in a family, at most 6
  std::int32_t shortest = 5;  ///< items in a history
  std::int32_t longest = 20;
  double duplicate_titles = 0.03;  ///< share of items that carry another one's title
};

/// Deterministic from the seed, on every platform and rank. Items belong to groups of families; a title names
/// family and group (item ids do not). A history is a walk without repeats: mostly on to the item that
/// follows in the group's fixed round, else within the group, to a fixed neighbour group, or anywhere.
[[nodiscard]] WholeDataset make_synthetic(const SyntheticOptions& options, std::uint64_t seed);

}  // namespace genrec
