#pragma once
#include <cstdint>

#include "siit/assigner.h"
#include "training/checkpoint.h"

namespace genrec {

/// What was added to an assigner, as arrays of a checkpoint: `counts` [items] (candidates of each item),
/// `lengths` [candidates] (tokens of each), `tokens`, all int32, and `confidence` [items] float32. Empty for
/// no items. By confidence that is as much memory again as the assigner's.
[[nodiscard]] WeightMap candidate_arrays(IdentifierAssigner& assigner);
/// Adds it to a new assigner of the same options. Throws DataError unless the arrays are of so many items and
/// fit together.
void add_candidates(const WeightMap& arrays, std::int64_t items, IdentifierAssigner& assigner);

}  // namespace genrec
