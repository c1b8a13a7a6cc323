#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"
#include "decoding/hypothesis.h"
#include "decoding/token_automaton.h"

namespace genrec {

struct ScoredItem {
  ItemId item = 0;
  float score = 0;  ///< of its identifier
};

/// The first `limit` items of the hypotheses' identifiers. Items that share an identifier are all ranked, in
/// an order that the stream (seed, kTieBreak, user, node) draws (SIIT 4.1.4).
[[nodiscard]] std::vector<ScoredItem> rank_items(std::span<const Hypothesis> hypotheses,
                                                 const PrefixTrie& trie, std::int64_t limit,
                                                 std::uint64_t seed, UserId user);

/// Position of the item in the list, from 1; 0 when it is absent.
[[nodiscard]] std::int64_t rank_of(std::span<const ScoredItem> ranking, ItemId item);

/// Position of the item's identifier, from 1; 0 when it is absent. Any item that shares it would be a hit
/// (LETTER).
[[nodiscard]] std::int64_t identifier_rank_of(std::span<const Hypothesis> hypotheses, const PrefixTrie& trie,
                                              ItemId item);

}  // namespace genrec
