#include "siit/candidate_arrays.h"

#include <cstdint>
#include <string>

#include "base/error.h"

namespace genrec {
namespace {

constexpr std::size_t kItemsOfChunk = 4096;

template <typename T>
HostArray row_of(const std::vector<T>& values) {
  return HostArray::of<T>(std::span<const T>(values), {static_cast<std::int64_t>(values.size())});
}

[[noreturn]] void fail_to_fit() {
  throw DataError(
      "checkpoint: the candidates of its regeneration do not fit together; go on from the checkpoint before "
      "it");
}

template <typename T>
std::span<const T> row(const WeightMap& arrays, const std::string& name) {
  const auto found = arrays.find(name);
  if (found == arrays.end()) fail_to_fit();
  return found->second.as<T>();
}

/// Hands out the elements of an array in turn.
template <typename T>
class Turn {
 public:
  explicit Turn(std::span<const T> values) : rest_(values) {}
  std::span<const T> take(std::int32_t count) {
    if (count < 0 || static_cast<std::size_t>(count) > rest_.size()) fail_to_fit();
    const auto taken = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  [[nodiscard]] bool is_over() const { return rest_.empty(); }

 private:
  std::span<const T> rest_;
};

}  // namespace

WeightMap candidate_arrays(std::span<const CandidateChunk> chunks) {
  std::vector<std::int32_t> counts, lengths;
  std::vector<TokenId> tokens;
  std::vector<float> confidence;
  for (const CandidateChunk& chunk : chunks) {
    for (std::size_t i = 0; i < chunk.items(); ++i) {
      counts.push_back(static_cast<std::int32_t>(chunk.item_begin[i + 1] - chunk.item_begin[i]));
    }
    for (std::size_t c = 0; c + 1 < chunk.token_begin.size(); ++c) {
      lengths.push_back(static_cast<std::int32_t>(chunk.token_begin[c + 1] - chunk.token_begin[c]));
    }
    tokens.insert(tokens.end(), chunk.tokens.begin(), chunk.tokens.end());
    confidence.insert(confidence.end(), chunk.confidence.begin(), chunk.confidence.end());
  }
  if (counts.empty()) return {};
  return {{"counts", row_of(counts)},
          {"lengths", row_of(lengths)},
          {"tokens", row_of(tokens)},
          {"confidence", row_of(confidence)}};
}

std::vector<CandidateChunk> candidate_chunks(const WeightMap& arrays, std::int64_t items) {
  std::vector<CandidateChunk> chunks;
  if (items == 0) return chunks;
  const auto counts = row<std::int32_t>(arrays, "counts");
  if (static_cast<std::int64_t>(counts.size()) != items) fail_to_fit();
  Turn<std::int32_t> lengths(row<std::int32_t>(arrays, "lengths"));
  Turn<TokenId> tokens(row<TokenId>(arrays, "tokens"));
  Turn<float> confidence(row<float>(arrays, "confidence"));
  for (const std::int32_t count : counts) {
    if (chunks.empty() || chunks.back().items() == kItemsOfChunk) chunks.emplace_back();
    CandidateChunk& chunk = chunks.back();
    for (const std::int32_t length : lengths.take(count)) {
      const auto candidate = tokens.take(length);
      chunk.tokens.insert(chunk.tokens.end(), candidate.begin(), candidate.end());
      chunk.token_begin.push_back(static_cast<std::uint32_t>(chunk.tokens.size()));
    }
    chunk.item_begin.push_back(static_cast<std::uint32_t>(chunk.token_begin.size() - 1));
    chunk.confidence.push_back(confidence.take(1).front());
  }
  if (!lengths.is_over() || !tokens.is_over() || !confidence.is_over()) fail_to_fit();
  return chunks;
}

}  // namespace genrec
