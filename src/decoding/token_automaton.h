#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tokenizers/vocabulary.h"

namespace genrec {

/// What may follow what, as flat arrays (CSR): node n has edges [begin[n], begin[n+1]) in ascending token
/// order, each with a token and a target node. Node 0 is the root; an edge with kEndToken leads to kFinal. A
/// prefix trie is one; so is "any level-l token at position l".
struct TokenAutomaton {
  static constexpr std::int32_t kFinal = -1;
  std::vector<std::int64_t> begin{0};
  std::vector<TokenId> token;
  std::vector<std::int32_t> target;

  [[nodiscard]] std::int64_t nodes() const { return static_cast<std::int64_t>(begin.size()) - 1; }
  [[nodiscard]] std::span<const TokenId> tokens_of(std::int32_t node) const {
    const auto n = static_cast<std::size_t>(node);
    return std::span(token).subspan(static_cast<std::size_t>(begin[n]),
                                    static_cast<std::size_t>(begin[n + 1] - begin[n]));
  }
  /// Longest path to kFinal, the end token included.
  std::int64_t max_steps = 0;
};

/// The trie of all identifiers, any lengths (one may be a proper prefix of another: its node then has the end
/// token beside continuations), and which items end at each node.
class PrefixTrie {
 public:
  explicit PrefixTrie(const TokenizedItems& items);
  /// Item i has tokens[offsets[i] .. offsets[i+1]), at least one, all above kEndToken.
  PrefixTrie(std::span<const std::int64_t> offsets, std::span<const TokenId> tokens);
  [[nodiscard]] const TokenAutomaton& automaton() const { return automaton_; }
  /// Items whose identifier ends at `node` (several when they collide), ascending; empty for inner nodes.
  [[nodiscard]] std::span<const ItemId> items_at(std::int32_t node) const;

 private:
  struct Identifiers;
  /// Memory for exactly what add_levels() adds: growing vectors would need twice as much.
  void reserve_levels(const Identifiers& sorted);
  void add_levels(const Identifiers& sorted, std::span<const ItemId> order);
  void add_edge(TokenId token, std::int32_t target);

  TokenAutomaton automaton_;
  std::vector<std::int64_t> item_begin_;
  std::vector<ItemId> items_;
};

/// Position l allows any token of levels[l], then the end token after the last one. With `min_length` below
/// the number of levels the end token is allowed from that length on (CID: every level the same tokens,
/// min_length 1).
TokenAutomaton positionwise_automaton(const std::vector<std::vector<TokenId>>& levels,
                                      std::int64_t min_length);

}  // namespace genrec
