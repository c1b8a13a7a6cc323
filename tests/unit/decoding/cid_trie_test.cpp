// Acceptance check 7 of the method on CID's identifiers, some of which are proper prefixes of others;
// generator_test.cpp has the scores, token_automaton_test.cpp the tries.
#include <gtest/gtest.h>

#include <vector>

#include "decoding/generator.h"
#include "tokenizers/cid/cid_tokenizer.h"
#include "tokenizers/statistics.h"
#include "unit/cf/small_dataset.h"
#include "unit/decoding/tiny_model.h"

namespace genrec {
namespace {

TEST(AcceptanceCheck7, EveryItemOfCidIsReachedAndNothingElse) {
  // Items 30 to 39 are in nobody's history.
  const Dataset dataset = test::dataset_of(test::random_histories(60, 30, 12, 1), 40);
  const auto world = make_single_communicator();
  const IdentifierTable table = CidTokenizer({.token_size = 12, .clusters = 3}, 1).fit(dataset, *world);
  ASSERT_EQ(table.distinct(), 40);
  ASSERT_GT(statistics_of(table).prefix_items, 0);

  const Vocabulary vocabulary(3, table.symbols());
  const TokenizedItems items(table, vocabulary);
  const PrefixTrie trie(items);
  T5Config config = test::tiny_config();
  config.vocab_size = vocabulary.size();
  T5Model model(config, at::kCPU, Precision::kFloat32);
  model.initialise(5);
  PackedSequences sources;
  for (const ItemId item : {3, 17, 35}) {
    sources.tokens.insert(sources.tokens.end(), items.of(item).begin(), items.of(item).end());
    sources.tokens.push_back(kEndToken);
    sources.close_sequence();
  }
  for (const auto& found : generate(model, sources, trie.automaton(), {.beams = 50})) {
    ASSERT_EQ(found.size(), 40U);
    std::vector<int> times(40, 0);
    for (const Hypothesis& hypothesis : found) {
      const auto there = trie.items_at(hypothesis.node);
      ASSERT_EQ(there.size(), 1U) << "an identifier that no item has";
      const auto expected = items.of(there.front());
      EXPECT_EQ(hypothesis.tokens, std::vector<TokenId>(expected.begin(), expected.end()));
      ++times[static_cast<std::size_t>(there.front())];
    }
    EXPECT_EQ(times, std::vector<int>(40, 1));
  }
}

}  // namespace
}  // namespace genrec
