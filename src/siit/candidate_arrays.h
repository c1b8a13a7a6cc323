#pragma once
#include <span>
#include <vector>

#include "siit/assigner.h"
#include "training/checkpoint.h"

namespace genrec {

/// Candidates as arrays of a checkpoint: `counts` [items] (candidates of each item), `lengths` [candidates]
/// (tokens of each), `tokens`, all int32, and `confidence` [items] float32. Empty for no items.
[[nodiscard]] WeightMap candidate_arrays(std::span<const CandidateChunk> chunks);
/// The reverse, in chunks of bounded size. Throws DataError unless they are of so many items and fit
/// together.
[[nodiscard]] std::vector<CandidateChunk> candidate_chunks(const WeightMap& arrays, std::int64_t items);

}  // namespace genrec
