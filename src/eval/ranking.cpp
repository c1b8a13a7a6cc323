#include "eval/ranking.h"

#include <algorithm>

#include "base/random.h"

namespace genrec {

std::vector<ScoredItem> rank_items(std::span<const Hypothesis> hypotheses, const PrefixTrie& trie,
                                   std::int64_t limit, std::uint64_t seed, UserId user) {
  std::vector<ScoredItem> ranking;
  std::vector<ItemId> shuffled;
  for (const Hypothesis& hypothesis : hypotheses) {
    std::span<const ItemId> items = trie.items_at(hypothesis.node);
    if (items.size() > 1) {
      shuffled.assign(items.begin(), items.end());
      RandomStream stream(seed, Purpose::kTieBreak,
                          {static_cast<std::uint64_t>(user), static_cast<std::uint64_t>(hypothesis.node)});
      stream.shuffle(std::span(shuffled));
      items = shuffled;
    }
    for (ItemId item : items) {
      if (static_cast<std::int64_t>(ranking.size()) >= limit) return ranking;
      ranking.push_back({item, hypothesis.score});
    }
  }
  return ranking;
}

std::int64_t rank_of(std::span<const ScoredItem> ranking, ItemId item) {
  const auto found = std::ranges::find(ranking, item, &ScoredItem::item);
  return found == ranking.end() ? 0 : found - ranking.begin() + 1;
}

std::int64_t identifier_rank_of(std::span<const Hypothesis> hypotheses, const PrefixTrie& trie, ItemId item) {
  for (std::size_t h = 0; h < hypotheses.size(); ++h) {
    if (std::ranges::binary_search(trie.items_at(hypotheses[h].node), item)) {
      return static_cast<std::int64_t>(h) + 1;
    }
  }
  return 0;
}

}  // namespace genrec
