#pragma once
#include <algorithm>
#include <set>
#include <vector>

#include "base/random.h"
#include "decoding/token_automaton.h"

namespace genrec::test {

using Sequence = std::vector<TokenId>;

inline PrefixTrie trie_of(const std::vector<Sequence>& identifiers) {
  std::vector<std::int64_t> offsets{0};
  std::vector<TokenId> tokens;
  for (const auto& identifier : identifiers) {
    tokens.insert(tokens.end(), identifier.begin(), identifier.end());
    offsets.push_back(static_cast<std::int64_t>(tokens.size()));
  }
  return PrefixTrie(offsets, tokens);
}

/// Distinct sequences of `shortest` to `longest` tokens 3 .. 3+width-1, in ascending order; shorter ones are
/// often prefixes of longer ones.
inline std::vector<Sequence> random_sequences(std::size_t count, std::int64_t shortest, std::int64_t longest,
                                              std::uint64_t width, std::uint64_t seed) {
  RandomStream random(seed, Purpose::kTest);
  std::set<Sequence> sequences;
  while (sequences.size() < count) {
    Sequence sequence(static_cast<std::size_t>(shortest) +
                      random.below(static_cast<std::uint64_t>(longest - shortest + 1)));
    for (TokenId& token : sequence) token = 3 + static_cast<TokenId>(random.below(width));
    sequences.insert(sequence);
  }
  return {sequences.begin(), sequences.end()};
}

}  // namespace genrec::test
