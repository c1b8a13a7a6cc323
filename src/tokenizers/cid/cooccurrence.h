#pragma once
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

/// The part of a graph between some of its nodes (ascending); node i of it is nodes[i].
[[nodiscard]] ItemGraph induced(const ItemGraph& graph, std::span<const std::int32_t> nodes);

}  // namespace genrec
