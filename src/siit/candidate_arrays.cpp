#include "siit/candidate_arrays.h"

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.h"

namespace genrec {
namespace {

/// A one-dimensional array that is filled from front to back.
template <typename T>
class Filling {
 public:
  explicit Filling(std::size_t count) : array_(HostArray::of<T>({}, {0})) {
    array_.shape = {static_cast<std::int64_t>(count)};
    array_.bytes.resize(count * sizeof(T));
  }
  void append(std::span<const T> values) {
    if (values.empty()) return;
    std::memcpy(array_.bytes.data() + filled_, values.data(), values.size_bytes());
    filled_ += values.size_bytes();
  }
  /// Differences of neighbours.
  void append_differences(std::span<const std::uint32_t> begins) {
    for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
      const auto length = static_cast<T>(begins[i + 1] - begins[i]);
      append(std::span(&length, 1));
    }
  }
  [[nodiscard]] HostArray take() { return std::move(array_); }

 private:
  HostArray array_;
  std::size_t filled_ = 0;
};

[[noreturn]] void fail_to_fit() {
  throw DataError(
      "checkpoint: the candidates of its regeneration do not fit together; go on from the checkpoint before "
      "it");
}

template <typename T>
std::span<const T> row(const WeightMap& arrays, const std::string& name) {
  const auto found = arrays.find(name);
  const ElementType type = std::is_same_v<T, float> ? ElementType::kFloat32 : ElementType::kInt32;
  if (found == arrays.end() || found->second.type != type) fail_to_fit();
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

WeightMap candidate_arrays(IdentifierAssigner& assigner) {
  std::size_t items = 0, candidates = 0, all_tokens = 0;
  assigner.visit_added([&](const CandidateChunk& chunk) {
    items += chunk.items();
    candidates += chunk.token_begin.size() - 1;
    all_tokens += chunk.tokens.size();
  });
  if (items == 0) return {};
  Filling<std::int32_t> counts(items), lengths(candidates);
  Filling<TokenId> tokens(all_tokens);
  Filling<float> confidence(items);
  assigner.visit_added([&](const CandidateChunk& chunk) {
    counts.append_differences(chunk.item_begin);
    lengths.append_differences(chunk.token_begin);
    tokens.append(chunk.tokens);
    confidence.append(chunk.confidence);
  });
  return {{"counts", counts.take()},
          {"lengths", lengths.take()},
          {"tokens", tokens.take()},
          {"confidence", confidence.take()}};
}

void add_candidates(const WeightMap& arrays, std::int64_t items, IdentifierAssigner& assigner) {
  if (items == 0) return;
  const auto counts = row<std::int32_t>(arrays, "counts");
  if (static_cast<std::int64_t>(counts.size()) != items) fail_to_fit();
  Turn<std::int32_t> lengths(row<std::int32_t>(arrays, "lengths"));
  Turn<TokenId> tokens(row<TokenId>(arrays, "tokens"));
  Turn<float> confidence(row<float>(arrays, "confidence"));
  CandidateChunk chunk;
  for (const std::int32_t count : counts) {
    for (const std::int32_t length : lengths.take(count)) {
      chunk.add_candidate(tokens.take(length));
    }
    chunk.close_item(confidence.take(1).front());
    if (chunk.items() == CandidateChunk::kItems) assigner.add(std::exchange(chunk, {}));
  }
  if (chunk.items() > 0) assigner.add(std::move(chunk));
  if (!lengths.is_over() || !tokens.is_over() || !confidence.is_over()) fail_to_fit();
}

}  // namespace genrec
