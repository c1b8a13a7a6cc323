#include "tokenizers/cid/cid_tokenizer.h"

#include <algorithm>
#include <deque>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "tokenizers/cid/cooccurrence.h"
#include "tokenizers/cid/spectral.h"

namespace genrec {
namespace {

/// A node of the tree: its items (ascending) and the tokens of the path to it.
struct Cluster {
  std::vector<ItemId> items;
  std::vector<SymbolId> path;
};

/// Builds the tree breadth first and notes each item's path.
class TreeBuilder {
 public:
  TreeBuilder(const ItemGraph& graph, const CidOptions& options, std::uint64_t seed)
      : graph_(graph),
        parts_(graph),
        options_(options),
        seed_(seed),
        identifiers_(static_cast<std::size_t>(graph.size())) {}

  std::vector<std::vector<SymbolId>> build() {
    Cluster root, isolated;
    for (std::int32_t item = 0; item < graph_.size(); ++item) {
      (graph_.is_isolated(item) ? isolated : root).items.push_back(item);
    }
    if (!root.items.empty()) divide(root);
    if (static_cast<std::int64_t>(isolated.items.size()) > options_.token_size) {
      add(std::move(isolated));
    } else {
      number_items(isolated);
    }
    for (; !open_.empty(); open_.pop_front()) {
      const Cluster& cluster = open_.front();
      if (static_cast<std::int64_t>(cluster.items.size()) <= options_.token_size) {
        number_items(cluster);
      } else {
        divide(cluster);
      }
    }
    return std::move(identifiers_);
  }

 private:
  /// Gives a cluster the next token. Siblings are at most clusters + 1 <= token_size, so they differ.
  void add(Cluster cluster) {
    cluster.path.push_back(static_cast<SymbolId>(next_++ % options_.token_size));
    open_.push_back(std::move(cluster));
  }

  void number_items(const Cluster& cluster) {
    for (std::size_t i = 0; i < cluster.items.size(); ++i) {
      auto& identifier = identifiers_[static_cast<std::size_t>(cluster.items[i])];
      identifier = cluster.path;
      identifier.push_back(static_cast<SymbolId>(i));
    }
  }

  void divide(const Cluster& cluster) {
    std::vector<std::int32_t> labels = spectral_clusters(parts_.take(cluster.items), options_.clusters);
    std::int32_t parts = 1 + *std::max_element(labels.begin(), labels.end());
    if (parts == 1) {
      // Nothing to go by: parts of equal size, at random.
      parts = std::min(options_.clusters, static_cast<std::int32_t>(labels.size()));
      for (std::size_t i = 0; i < labels.size(); ++i) {
        labels[i] = static_cast<std::int32_t>(i % static_cast<std::size_t>(parts));
      }
      RandomStream(seed_, Purpose::kClustering, {static_cast<std::uint64_t>(next_)})
          .shuffle(std::span(labels));
    }
    std::vector<Cluster> children(static_cast<std::size_t>(parts), Cluster{{}, cluster.path});
    for (std::size_t i = 0; i < labels.size(); ++i) {
      children[static_cast<std::size_t>(labels[i])].items.push_back(cluster.items[i]);
    }
    for (Cluster& child : children) add(std::move(child));
  }

  const ItemGraph& graph_;
  SubgraphTaker parts_;
  const CidOptions& options_;
  std::uint64_t seed_;
  std::int64_t next_ = 0;
  std::deque<Cluster> open_;
  std::vector<std::vector<SymbolId>> identifiers_;
};

}  // namespace

CidTokenizer::CidTokenizer(const CidOptions& options, std::uint64_t seed) : options_(options), seed_(seed) {
  if (options.clusters < 2 || options.clusters >= options.token_size) {
    throw UsageError(
        "cid.clusters = " + std::to_string(options.clusters) +
        ": expected at least 2 and less than cid.token-size = " + std::to_string(options.token_size));
  }
}

IdentifierTable CidTokenizer::fit(const Dataset& dataset, Communicator& world) {
  const std::vector<PairCount> pairs = sum_pairs_at_root(count_pairs(dataset.interactions), world);
  std::vector<std::int64_t> offsets = {0};
  std::vector<SymbolId> codes;
  if (world.is_root()) {
    const ItemGraph graph = make_graph(dataset.items(), pairs);
    for (const auto& identifier : TreeBuilder(graph, options_, seed_).build()) {
      codes.insert(codes.end(), identifier.begin(), identifier.end());
      offsets.push_back(static_cast<std::int64_t>(codes.size()));
    }
  }
  world.broadcast(offsets, 0);
  world.broadcast(codes, 0);
  const SymbolId used = codes.empty() ? 0 : 1 + *std::max_element(codes.begin(), codes.end());
  std::vector<std::string> symbols;
  for (SymbolId symbol = 0; symbol < used; ++symbol) symbols.push_back("<CI" + std::to_string(symbol) + ">");
  IdentifierTable table(std::move(symbols), std::move(offsets), std::move(codes));
  LOG_ROOT(INFO) << "CID: " << table.items() << " items, identifiers of up to " << table.max_length()
                 << " tokens out of " << used << ", " << table.items() - table.distinct() << " collisions";
  return table;
}

}  // namespace genrec
