#include "training/microbatch.h"

namespace genrec {
namespace {

PackedSequences sequence_part(const PackedSequences& whole, Range range) {
  const auto first = whole.offsets.begin() + range.begin;
  const std::int64_t begin = *first;
  const std::int64_t end = whole.offsets[static_cast<std::size_t>(range.end)];
  PackedSequences part;
  part.tokens.assign(whole.tokens.begin() + begin, whole.tokens.begin() + end);
  part.offsets.assign(first, first + range.size() + 1);
  for (std::int64_t& offset : part.offsets) offset -= begin;
  return part;
}

/// Source and target tokens of the samples before `sample`.
std::int64_t tokens_before(const Seq2SeqBatch& batch, std::int64_t sample) {
  const auto s = static_cast<std::size_t>(sample);
  return batch.source.offsets[s] + batch.target.offsets[s];
}

}  // namespace

std::vector<Range> microbatches(const Seq2SeqBatch& batch, std::int64_t limit) {
  const std::int64_t samples = batch.samples();
  const std::int64_t tokens = tokens_before(batch, samples);
  const std::int64_t parts = limit > 0 ? (tokens + limit - 1) / limit : 1;
  std::vector<Range> ranges;
  std::int64_t begin = 0;
  for (std::int64_t part = 1; part <= parts && begin < samples; ++part) {
    std::int64_t end = begin + 1;
    // A sample goes to the part in which it ends.
    while (end < samples && tokens_before(batch, end + 1) * parts <= tokens * part) ++end;
    ranges.push_back({begin, end});
    begin = end;
  }
  return ranges;
}

Seq2SeqBatch batch_part(const Seq2SeqBatch& batch, Range samples) {
  Seq2SeqBatch part;
  part.source = sequence_part(batch.source, samples);
  part.target = sequence_part(batch.target, samples);
  part.keys.assign(batch.keys.begin() + samples.begin, batch.keys.begin() + samples.end);
  return part;
}

}  // namespace genrec
