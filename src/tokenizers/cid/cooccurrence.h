#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "data/dataset.h"

namespace genrec {

/// How often two items, first < second, are in one history.
struct PairCount {
  ItemId first = 0, second = 0;
  std::int64_t count = 0;
  bool operator==(const PairCount&) const = default;
};

/// Counts pairs of different items; pairs wait in a buffer of bounded size until they are sorted and merged.
class PairCounter {
 public:
  /// `buffer`: pairs that may wait.
  explicit PairCounter(std::size_t buffer) : buffer_(buffer) {}
  /// The pairs of one item with others; pairs of an item with itself are left out.
  void add(ItemId item, std::span<const ItemId> others);
  /// Pairs in the buffer: never more than it holds, or than the longest `others` where that is more.
  [[nodiscard]] std::size_t waiting() const { return keys_.size(); }
  /// All pairs so far, ascending.
  [[nodiscard]] std::vector<PairCount> take();

 private:
  void merge_waiting();
  std::size_t buffer_;
  std::vector<std::uint64_t> keys_;  ///< first << 32 | second
  std::vector<PairCount> total_;
};

/// Pairs of positions in the training part (all but the last two) of each history, ascending. Pairs of an
/// item with itself are left out: the Laplacian ignores the diagonal.
[[nodiscard]] std::vector<PairCount> count_pairs(const Interactions& interactions);

/// Adds the counts of two ascending lists.
[[nodiscard]] std::vector<PairCount> merge_pairs(std::span<const PairCount> a, std::span<const PairCount> b);

/// Sum over ranks, on rank 0; empty on the others. Collective.
[[nodiscard]] std::vector<PairCount> sum_pairs_at_root(std::span<const PairCount> mine, Communicator& world);

/// A symmetric weighted graph without loops (CSR, neighbours ascending).
struct ItemGraph {
  std::vector<std::int64_t> offsets{0};
  std::vector<std::int32_t> neighbours;
  std::vector<double> weights;

  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(offsets.size()) - 1; }
  [[nodiscard]] bool is_isolated(std::int32_t node) const {
    const auto i = static_cast<std::size_t>(node);
    return offsets[i] == offsets[i + 1];
  }
};

[[nodiscard]] ItemGraph make_graph(std::int64_t items, std::span<const PairCount> pairs);

/// Takes parts out of a graph, again and again, in time that depends on the part alone.
class SubgraphTaker {
 public:
  explicit SubgraphTaker(const ItemGraph& graph)
      : graph_(graph), place_(static_cast<std::size_t>(graph.size()), -1) {}
  /// The part of the graph between some of its nodes (ascending); node i of it is nodes[i].
  [[nodiscard]] ItemGraph take(std::span<const std::int32_t> nodes);

 private:
  const ItemGraph& graph_;
  std::vector<std::int32_t> place_;  ///< of a node in the part; -1 for all between two calls
};

/// The same for a single part.
[[nodiscard]] ItemGraph induced(const ItemGraph& graph, std::span<const std::int32_t> nodes);

}  // namespace genrec
