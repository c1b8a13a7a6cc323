#include "decoding/token_automaton.h"

#include <gmock/gmock.h>

#include <map>

#include "base/error.h"
#include "unit/decoding/tries.h"

namespace genrec {
namespace {

using test::Sequence;
using test::trie_of;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Every path from the root to kFinal, with the items of its last node; checks that edges ascend.
void collect(const PrefixTrie& trie, std::int32_t node, Sequence& path,
             std::map<Sequence, std::vector<ItemId>>& out) {
  const TokenAutomaton& a = trie.automaton();
  const auto tokens = a.tokens_of(node);
  for (std::size_t e = 0; e < tokens.size(); ++e) {
    EXPECT_TRUE(e == 0 || tokens[e - 1] < tokens[e]);
    const std::int32_t target =
        a.target[static_cast<std::size_t>(a.begin[static_cast<std::size_t>(node)]) + e];
    if (target == TokenAutomaton::kFinal) {
      EXPECT_EQ(tokens[e], kEndToken);
      out[path].assign(trie.items_at(node).begin(), trie.items_at(node).end());
      continue;
    }
    path.push_back(tokens[e]);
    collect(trie, target, path, out);
    path.pop_back();
  }
}

std::map<Sequence, std::vector<ItemId>> paths_of(const PrefixTrie& trie) {
  std::map<Sequence, std::vector<ItemId>> out;
  Sequence path;
  collect(trie, 0, path, out);
  return out;
}

TEST(PrefixTrie, HoldsPrefixesOfOthersAndCollisions) {
  const PrefixTrie trie = trie_of({{5, 6}, {5}, {4, 6, 7}, {5, 6}, {5, 6, 3}, {5}});
  const auto paths = paths_of(trie);
  ASSERT_EQ(paths.size(), 4U);
  EXPECT_THAT(paths.at({5}), ElementsAre(1, 5));
  EXPECT_THAT(paths.at({5, 6}), ElementsAre(0, 3));
  EXPECT_THAT(paths.at({5, 6, 3}), ElementsAre(4));
  EXPECT_THAT(paths.at({4, 6, 7}), ElementsAre(2));
  EXPECT_EQ(trie.automaton().max_steps, 4);
  EXPECT_THAT(trie.items_at(0), IsEmpty());
  EXPECT_EQ(trie.automaton().nodes(), 7);
}

TEST(PrefixTrie, AgreesWithAMapOnRandomIdentifiers) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto distinct = test::random_sequences(40, 1, 4, 3, seed);
    RandomStream random(seed, Purpose::kTest, {1});
    std::vector<Sequence> identifiers;
    std::map<Sequence, std::vector<ItemId>> expected;
    for (ItemId item = 0; item < 100; ++item) {
      identifiers.push_back(distinct[random.below(distinct.size())]);
      expected[identifiers.back()].push_back(item);
    }
    EXPECT_EQ(paths_of(trie_of(identifiers)), expected) << "seed " << seed;
  }
}

TEST(PrefixTrie, RefusesEmptyIdentifiersAndReservedTokens) {
  EXPECT_THROW(trie_of({{5}, {}}), Error);
  EXPECT_THROW(trie_of({{5, kEndToken}}), Error);
  EXPECT_THROW(trie_of({}), Error);
}

TEST(PositionwiseAutomaton, FixedLength) {
  const TokenAutomaton a = positionwise_automaton({{9, 7, 9}, {8}}, 2);
  EXPECT_EQ(a.nodes(), 3);
  EXPECT_EQ(a.max_steps, 3);
  EXPECT_THAT(a.tokens_of(0), ElementsAre(7, 9));
  EXPECT_THAT(a.tokens_of(1), ElementsAre(8));
  EXPECT_THAT(a.tokens_of(2), ElementsAre(kEndToken));
  EXPECT_THAT(a.target, ElementsAre(1, 1, 2, TokenAutomaton::kFinal));
}

TEST(PositionwiseAutomaton, EndIsAllowedFromTheShortestLengthOn) {
  const TokenAutomaton a = positionwise_automaton({{7, 8}, {7, 8}, {7, 8}}, 1);
  EXPECT_THAT(a.tokens_of(0), ElementsAre(7, 8));
  EXPECT_THAT(a.tokens_of(1), ElementsAre(kEndToken, 7, 8));
  EXPECT_THAT(a.tokens_of(2), ElementsAre(kEndToken, 7, 8));
  EXPECT_THAT(a.tokens_of(3), ElementsAre(kEndToken));
  EXPECT_THROW((void)positionwise_automaton({{7}}, 2), Error);
  EXPECT_THROW((void)positionwise_automaton({{7}, {}}, 1), Error);
}

}  // namespace
}  // namespace genrec
