#pragma once
#include <cstdint>
#include <vector>

#include "base/shards.h"
#include "model/batch.h"

namespace genrec {

/// Cuts a batch into runs of samples of about `limit` source and target tokens (0: one run), evenly, so that
/// the last run is no small rest; a longer single sample is a run of its own. Empty for an empty batch.
[[nodiscard]] std::vector<Range> microbatches(const Seq2SeqBatch& batch, std::int64_t limit);

/// The samples of a range, as a batch of their own.
[[nodiscard]] Seq2SeqBatch batch_part(const Seq2SeqBatch& batch, Range samples);

}  // namespace genrec
