#include "tokenizers/cid/cooccurrence.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

namespace genrec {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 24;    ///< pairs that wait to be sorted: 128 MiB
constexpr std::size_t kChunk = sizeof(PairCount) << 18;  ///< bytes sent at once

/// Sorts and counts keys (first << 32 | second), then empties the list.
std::vector<PairCount> counted(std::vector<std::uint64_t>& keys) {
  std::sort(keys.begin(), keys.end());
  std::vector<PairCount> pairs;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i == 0 || keys[i] != keys[i - 1]) {
      pairs.push_back({static_cast<ItemId>(keys[i] >> 32), static_cast<ItemId>(keys[i] & 0xffffffffU), 0});
    }
    ++pairs.back().count;
  }
  keys.clear();
  return pairs;
}

}  // namespace

void PairCounter::add(ItemId item, std::span<const ItemId> others) {
  if (keys_.size() + others.size() > buffer_) merge_waiting();
  for (const ItemId other : others) {
    if (other == item) continue;
    const auto [low, high] = std::minmax(item, other);
    keys_.push_back((static_cast<std::uint64_t>(low) << 32) | static_cast<std::uint64_t>(high));
  }
}

void PairCounter::merge_waiting() {
  if (!keys_.empty()) total_ = merge_pairs(total_, counted(keys_));
}

std::vector<PairCount> PairCounter::take() {
  merge_waiting();
  return std::move(total_);
}

std::vector<PairCount> count_pairs(const Interactions& interactions) {
  PairCounter counter(kBuffer);
  for (std::int64_t r = 0; r < interactions.rows(); ++r) {
    if (interactions.length(r) < 4) continue;
    const auto row = interactions.row(r).first(static_cast<std::size_t>(interactions.length(r) - 2));
    for (std::size_t i = 0; i < row.size(); ++i) counter.add(row[i], row.subspan(i + 1));
  }
  return counter.take();
}

std::vector<PairCount> merge_pairs(std::span<const PairCount> a, std::span<const PairCount> b) {
  const auto key = [](const PairCount& pair) { return std::tuple(pair.first, pair.second); };
  std::vector<PairCount> merged;
  merged.reserve(std::max(a.size(), b.size()));
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (j == b.size() || (i < a.size() && key(a[i]) < key(b[j]))) {
      merged.push_back(a[i++]);
    } else if (i == a.size() || key(b[j]) < key(a[i])) {
      merged.push_back(b[j++]);
    } else {
      merged.push_back(a[i++]);
      merged.back().count += b[j++].count;
    }
  }
  return merged;
}

std::vector<PairCount> sum_pairs_at_root(std::span<const PairCount> mine, Communicator& world) {
  std::vector<PairCount> total;
  std::vector<std::byte> bytes;
  int sender = 0;
  const auto add_sender = [&total, &bytes] {
    std::vector<PairCount> pairs(bytes.size() / sizeof(PairCount));
    if (!bytes.empty()) std::memcpy(pairs.data(), bytes.data(), bytes.size());
    total = merge_pairs(total, pairs);
    bytes.clear();
  };
  world.gather_chunks(std::as_bytes(mine), 0, kChunk, [&](int rank, std::span<const std::byte> chunk) {
    if (rank != std::exchange(sender, rank)) add_sender();
    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
  });
  add_sender();
  return total;
}

ItemGraph make_graph(std::int64_t items, std::span<const PairCount> pairs) {
  ItemGraph graph;
  graph.offsets.assign(static_cast<std::size_t>(items) + 1, 0);
  for (const PairCount& pair : pairs) {
    ++graph.offsets[static_cast<std::size_t>(pair.first) + 1];
    ++graph.offsets[static_cast<std::size_t>(pair.second) + 1];
  }
  for (std::size_t i = 0; i + 1 < graph.offsets.size(); ++i) graph.offsets[i + 1] += graph.offsets[i];
  std::vector<std::int64_t> next(graph.offsets.begin(), graph.offsets.end() - 1);
  graph.neighbours.resize(2 * pairs.size());
  graph.weights.resize(2 * pairs.size());
  // Pairs ascend, so a row meets its smaller neighbours first, in order, and then its larger ones, in order.
  const auto put = [&](ItemId from, ItemId to, std::int64_t count) {
    const auto place = static_cast<std::size_t>(next[static_cast<std::size_t>(from)]++);
    graph.neighbours[place] = to;
    graph.weights[place] = static_cast<double>(count);
  };
  for (const PairCount& pair : pairs) {
    put(pair.first, pair.second, pair.count);
    put(pair.second, pair.first, pair.count);
  }
  return graph;
}

ItemGraph SubgraphTaker::take(std::span<const std::int32_t> nodes) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    place_[static_cast<std::size_t>(nodes[i])] = static_cast<std::int32_t>(i);
  }
  ItemGraph part;
  for (const std::int32_t node : nodes) {
    const auto n = static_cast<std::size_t>(node);
    for (auto e = static_cast<std::size_t>(graph_.offsets[n]);
         e < static_cast<std::size_t>(graph_.offsets[n + 1]); ++e) {
      const std::int32_t neighbour = place_[static_cast<std::size_t>(graph_.neighbours[e])];
      if (neighbour < 0) continue;
      part.neighbours.push_back(neighbour);
      part.weights.push_back(graph_.weights[e]);
    }
    part.offsets.push_back(static_cast<std::int64_t>(part.neighbours.size()));
  }
  for (const std::int32_t node : nodes) place_[static_cast<std::size_t>(node)] = -1;
  return part;
}

ItemGraph induced(const ItemGraph& graph, std::span<const std::int32_t> nodes) {
  return SubgraphTaker(graph).take(nodes);
}

}  // namespace genrec
