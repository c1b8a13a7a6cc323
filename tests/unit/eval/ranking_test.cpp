#include "eval/ranking.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

namespace genrec {
namespace {

using ::testing::ElementsAre;

/// Items 1, 2 and 4 share {5, 6}; 0 and 3 have their own.
const std::vector<std::int64_t> kOffsets{0, 2, 4, 6, 8, 10};
const std::vector<TokenId> kTokens{5, 7, 5, 6, 5, 6, 4, 4, 5, 6};

std::vector<Hypothesis> hypotheses(const PrefixTrie& trie) {
  std::vector<Hypothesis> found;
  for (std::int32_t node = 0; node < trie.automaton().nodes(); ++node) {
    if (!trie.items_at(node).empty()) found.push_back({{}, node, -static_cast<float>(found.size()), 0});
  }
  return found;
}

std::vector<ItemId> items_of(const std::vector<ScoredItem>& ranking) {
  std::vector<ItemId> items;
  for (const auto& entry : ranking) items.push_back(entry.item);
  return items;
}

TEST(RankItems, ExpandsSharedIdentifiersInASeededOrder) {
  const PrefixTrie trie(kOffsets, kTokens);
  const auto found = hypotheses(trie);
  ASSERT_EQ(found.size(), 3U);  // {4, 4}, {5, 6}, {5, 7} in the order of nodes
  std::map<std::vector<ItemId>, int> orders;
  for (UserId user = 0; user < 600; ++user) {
    const auto ranking = rank_items(found, trie, 10, 1, user);
    const auto items = items_of(ranking);
    ASSERT_EQ(items.size(), 5U);
    EXPECT_EQ(items.front(), 3);
    EXPECT_EQ(items.back(), 0);
    EXPECT_FLOAT_EQ(ranking[1].score, ranking[3].score);
    EXPECT_THAT(std::set<ItemId>(items.begin() + 1, items.begin() + 4), ElementsAre(1, 2, 4));
    EXPECT_EQ(items_of(rank_items(found, trie, 10, 1, user)), items);
    ++orders[items];
  }
  EXPECT_EQ(orders.size(), 6U);  // all orders of three, each about 100 times
  for (const auto& [order, times] : orders) EXPECT_NEAR(times, 100, 40);
}

TEST(RankItems, StopsAtTheLimit) {
  const PrefixTrie trie(kOffsets, kTokens);
  EXPECT_EQ(rank_items(hypotheses(trie), trie, 3, 1, 7).size(), 3U);
  EXPECT_TRUE(rank_items({}, trie, 3, 1, 7).empty());
}

TEST(RankOf, ItemsAndIdentifiers) {
  const PrefixTrie trie(kOffsets, kTokens);
  const auto found = hypotheses(trie);
  const std::vector<ScoredItem> ranking{{3, 0}, {2, 0}, {4, 0}};
  EXPECT_EQ(rank_of(ranking, 3), 1);
  EXPECT_EQ(rank_of(ranking, 4), 3);
  EXPECT_EQ(rank_of(ranking, 1), 0);
  EXPECT_EQ(identifier_rank_of(found, trie, 3), 1);
  for (ItemId item : {1, 2, 4}) EXPECT_EQ(identifier_rank_of(found, trie, item), 2);
  EXPECT_EQ(identifier_rank_of(found, trie, 0), 3);
  EXPECT_EQ(identifier_rank_of(std::span(found).first(2), trie, 0), 0);
}

}  // namespace
}  // namespace genrec
