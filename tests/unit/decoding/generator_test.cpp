#include "decoding/generator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <bit>

#include "base/error.h"
#include "decoding/device_search.h"
#include "decoding/parallel_generator.h"
#include "unit/decoding/same_hypotheses.h"
#include "unit/decoding/tiny_model.h"
#include "unit/decoding/tries.h"

namespace genrec {
namespace {

using test::random_sequences;
using test::random_sources;
using test::Sequence;
using test::tiny_config;
using test::trie_of;

PackedSequences one_source(const PackedSequences& sources, std::int64_t s, std::size_t times) {
  PackedSequences repeated;
  for (std::size_t i = 0; i < times; ++i) {
    for (auto t = sources.offsets[static_cast<std::size_t>(s)];
         t < sources.offsets[static_cast<std::size_t>(s) + 1]; ++t) {
      repeated.tokens.push_back(sources.tokens[static_cast<std::size_t>(t)]);
    }
    repeated.close_sequence();
  }
  return repeated;
}

/// Sums of log-probabilities of all sequences, end token included, by teacher forcing.
std::vector<double> forced(const T5Model& model, const PackedSequences& sources, std::int64_t s,
                           const std::vector<Sequence>& sequences) {
  Seq2SeqBatch batch;
  batch.source = one_source(sources, s, sequences.size());
  for (const auto& sequence : sequences) {
    batch.target.tokens.insert(batch.target.tokens.end(), sequence.begin(), sequence.end());
    batch.target.tokens.push_back(kEndToken);
    batch.target.close_sequence();
    batch.keys.push_back(batch.keys.size());
  }
  const at::Tensor log_p = at::log_softmax(model.logits(batch).to(at::kDouble), -1).contiguous();
  const auto p = log_p.accessor<double, 2>();
  std::vector<double> sums;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    double sum = 0;
    for (auto t = batch.target.offsets[i]; t < batch.target.offsets[i + 1]; ++t) {
      sum += p[t][batch.target.tokens[static_cast<std::size_t>(t)]];
    }
    sums.push_back(sum);
  }
  return sums;
}

class GeneratedByTheModel : public ::testing::TestWithParam<std::tuple<bool, int>> {};

/// With as many beams as sequences the search is enumeration: same order, same scores.
TEST_P(GeneratedByTheModel, IsEnumerationOfTheTrie) {
  const auto [gated, shortest] = GetParam();
  T5Model model(tiny_config(gated), at::kCPU, Precision::kFloat32);
  model.initialise(5);
  const auto sequences = random_sequences(30, shortest, 4, 6, 3);
  const PrefixTrie trie = trie_of(sequences);
  const PackedSequences sources = random_sources(5, 4);
  const auto found = generate(model, sources, trie.automaton(), {.beams = 30});
  ASSERT_EQ(found.size(), 5U);
  for (std::int64_t s = 0; s < 5; ++s) {
    const auto sums = forced(model, sources, s, sequences);
    const auto& mine = found[static_cast<std::size_t>(s)];
    ASSERT_EQ(mine.size(), sequences.size());
    for (std::size_t h = 0; h < mine.size(); ++h) {
      const auto i = static_cast<std::size_t>(trie.items_at(mine[h].node).front());
      EXPECT_EQ(mine[h].tokens, sequences[i]);
      EXPECT_NEAR(mine[h].log_probability, sums[i], 2e-5);
      EXPECT_NEAR(mine[h].score, sums[i] / (static_cast<double>(sequences[i].size()) + 1), 1e-5);
      if (h > 0) {
        EXPECT_GE(mine[h - 1].score, mine[h].score);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GeneratedByTheModel,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(1, 4)));

/// The search for GPUs, on CPU tensors, finds what the search for CPUs finds.
void expect_same_on_device(const TokenAutomaton& automaton, const BeamOptions& options, bool gated) {
  T5Model model(tiny_config(gated), at::kCPU, Precision::kFloat32);
  model.initialise(11);
  const PackedSequences sources = random_sources(6, 8);
  const auto expected = generate(model, sources, automaton, options);
  const auto found = generate_on_device(model, sources, DeviceAutomaton(automaton, at::kCPU), options);
  test::expect_same_hypotheses(found, expected, 1e-5);
}

class DeviceSearch : public ::testing::TestWithParam<std::tuple<int, ScoreRule, int>> {};

TEST_P(DeviceSearch, FindsWhatTheHostFinds) {
  const auto [beams, score, shortest] = GetParam();
  const PrefixTrie trie = trie_of(random_sequences(60, shortest, 4, 6, 7));
  expect_same_on_device(trie.automaton(), {.beams = beams, .score = score}, beams == 5);
}

INSTANTIATE_TEST_SUITE_P(Searches, DeviceSearch,
                         ::testing::Combine(::testing::Values(1, 5, 20, 100),
                                            ::testing::Values(ScoreRule::kMean, ScoreRule::kSum),
                                            ::testing::Values(1, 4)));

TEST(DeviceSearch, TakesAnyTokenOfALevel) {
  const auto automaton = positionwise_automaton({{3, 4, 5, 6}, {3, 4, 5, 6, 7, 8}, {7, 8}}, 1);
  expect_same_on_device(automaton, {.beams = 10}, true);
}

bool same(const Hypothesis& a, const Hypothesis& b) {
  return a.tokens == b.tokens && a.node == b.node &&
         std::bit_cast<std::uint32_t>(a.score) == std::bit_cast<std::uint32_t>(b.score) &&
         std::bit_cast<std::uint32_t>(a.log_probability) == std::bit_cast<std::uint32_t>(b.log_probability);
}

TEST(ParallelGenerator, BlocksArriveInOrderAndThreadsChangeNoBit) {
  T5Model model(tiny_config(), at::kCPU, Precision::kFloat32);
  model.initialise(1);
  const auto sequences = random_sequences(80, 1, 4, 8, 9);
  const PrefixTrie trie = trie_of(sequences);
  const PackedSequences all = random_sources(53, 2);
  const auto make = [&](Range range) {
    PackedSequences part;
    for (std::int64_t s = range.begin; s < range.end; ++s) {
      const auto source = one_source(all, s, 1);
      part.tokens.insert(part.tokens.end(), source.tokens.begin(), source.tokens.end());
      part.close_sequence();
    }
    return part;
  };
  std::vector<std::vector<std::vector<Hypothesis>>> results;
  for (const int threads : {1, 2, 5}) {
    auto& result = results.emplace_back();
    std::int64_t next_block = 0, last_done = 0;
    generate_in_blocks(
        model, 53, 8, threads, make, trie.automaton(), {.beams = 7},
        [&](std::int64_t block, Range range, std::vector<std::vector<Hypothesis>> found) {
          EXPECT_EQ(block, next_block++);
          EXPECT_EQ(range, (Range{block * 8, std::min<std::int64_t>(53, block * 8 + 8)}));
          EXPECT_EQ(range.size(), static_cast<std::int64_t>(found.size()));
          for (auto& hypotheses : found) result.push_back(std::move(hypotheses));
        },
        [&](std::int64_t done) {
          EXPECT_GT(done, last_done);
          last_done = done;
        });
    EXPECT_EQ(last_done, 53);
    ASSERT_EQ(result.size(), 53U);
  }
  for (std::size_t s = 0; s < 53; ++s) {
    for (std::size_t other : {1U, 2U}) {
      ASSERT_EQ(results[0][s].size(), results[other][s].size());
      for (std::size_t h = 0; h < results[0][s].size(); ++h) {
        EXPECT_TRUE(same(results[0][s][h], results[other][s][h]));
      }
    }
  }
}

TEST(ParallelGenerator, AnErrorOfAWorkerComesOut) {
  T5Model model(tiny_config(), at::kCPU, Precision::kFloat32);
  const PrefixTrie trie = trie_of({{3}, {4}});
  std::atomic<int> made = 0;
  const auto make = [&](Range) -> PackedSequences {
    if (++made == 3) throw DataError("third");
    return random_sources(1, 1);
  };
  EXPECT_THROW(
      generate_in_blocks(model, 100, 1, 2, make, trie.automaton(), {.beams = 1}, [](auto, auto, auto) {}, {}),
      DataError);
  EXPECT_LT(made, 100);
}

TEST(ParallelGenerator, NothingToDo) {
  T5Model model(tiny_config(), at::kCPU, Precision::kFloat32);
  const PrefixTrie trie = trie_of({{3}});
  generate_in_blocks(
      model, 0, 4, 3, [](Range) { return PackedSequences(); }, trie.automaton(), {},
      [](auto, auto, auto) { FAIL(); }, {});
  EXPECT_TRUE(generate(model, {}, trie.automaton(), {}).empty());
}

}  // namespace
}  // namespace genrec
