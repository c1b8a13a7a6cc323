#include "decoding/beam_search.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "base/error.h"
#include "unit/decoding/tries.h"

namespace genrec {
namespace {

using test::random_sequences;
using test::Sequence;
using test::trie_of;
using ::testing::ElementsAre;

/// A "model" without a network: log p of a token after a prefix is a function of (seed, sequence, prefix,
/// token). `ties` keeps few different values, so that many sums are equal.
class ScoreTable {
 public:
  explicit ScoreTable(std::uint64_t seed, bool ties = false) : seed_(seed), ties_(ties) {}
  [[nodiscard]] float operator()(std::int32_t sequence, const Sequence& prefix, TokenId token) const {
    std::uint64_t key = stream_key(seed_, Purpose::kTest, {static_cast<std::uint64_t>(sequence)});
    for (TokenId t : prefix) key = mix64(key ^ static_cast<std::uint64_t>(t));
    RandomStream random(mix64(key ^ (static_cast<std::uint64_t>(token) << 20)));
    return ties_ ? -0.5F * static_cast<float>(1 + random.below(2))
                 : static_cast<float>(-5 * random.uniform());
  }

 private:
  std::uint64_t seed_;
  bool ties_;
};

/// Runs a search against the table; `most_rows` is the largest step.
std::vector<std::vector<Hypothesis>> searched(const TokenAutomaton& automaton, std::int32_t sequences,
                                              const ScoreTable& table, const BeamOptions& options,
                                              std::size_t* most_rows = nullptr) {
  BeamSearch search(automaton, sequences, options);
  std::vector<Sequence> prefixes;
  for (int step = 0; !search.done(); ++step) {
    std::vector<Sequence> next;
    for (std::size_t r = 0; r < search.tokens().size(); ++r) {
      if (step == 0) {
        EXPECT_EQ(search.tokens()[r], kPadToken);
        next.emplace_back();
        continue;
      }
      next.push_back(prefixes[static_cast<std::size_t>(search.parents()[r])]);
      next.back().push_back(search.tokens()[r]);
      EXPECT_LE(search.sequences()[r == 0 ? 0 : r - 1], search.sequences()[r]);
    }
    prefixes = std::move(next);
    if (most_rows != nullptr) *most_rows = std::max(*most_rows, prefixes.size());
    std::vector<float> scores;
    for (std::size_t r = 0; r < prefixes.size(); ++r) {
      for (auto c = search.offsets()[r]; c < search.offsets()[r + 1]; ++c) {
        scores.push_back(
            table(search.sequences()[r], prefixes[r], search.candidates()[static_cast<std::size_t>(c)]));
      }
    }
    search.advance(scores);
  }
  return search.take_results();
}

struct Scored {
  Sequence tokens;
  float score;
};

/// All sequences, best first (equal scores in any order).
std::vector<Scored> enumerated(const std::vector<Sequence>& sequences, std::int32_t s,
                               const ScoreTable& table, double penalty) {
  std::vector<Scored> all;
  for (const auto& sequence : sequences) {
    float sum = 0;
    Sequence prefix;
    for (TokenId token : sequence) {
      sum += table(s, prefix, token);
      prefix.push_back(token);
    }
    sum += table(s, prefix, kEndToken);
    all.push_back(
        {sequence, sum / static_cast<float>(std::pow(static_cast<double>(sequence.size()) + 1, penalty))});
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  return all;
}

class ExhaustiveBeams : public ::testing::TestWithParam<std::tuple<ScoreRule, int>> {};

TEST_P(ExhaustiveBeams, AreEnumeration) {
  const auto [rule, shortest] = GetParam();
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const auto sequences = random_sequences(25, shortest, 4, 4, seed);
    const PrefixTrie trie = trie_of(sequences);
    const ScoreTable table(seed);
    const auto found = searched(trie.automaton(), 3, table, {.beams = 25, .score = rule});
    ASSERT_EQ(found.size(), 3U);
    for (std::int32_t s = 0; s < 3; ++s) {
      const auto expected = enumerated(sequences, s, table, rule == ScoreRule::kMean ? 1 : 0);
      const auto& mine = found[static_cast<std::size_t>(s)];
      ASSERT_EQ(mine.size(), expected.size()) << "seed " << seed;
      for (std::size_t h = 0; h < mine.size(); ++h) {
        EXPECT_EQ(mine[h].tokens, expected[h].tokens)
            << "seed " << seed << " sequence " << s << " place " << h;
        EXPECT_FLOAT_EQ(mine[h].score, expected[h].score);
        EXPECT_EQ(sequences[static_cast<std::size_t>(trie.items_at(mine[h].node).front())], mine[h].tokens);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, ExhaustiveBeams,
                         ::testing::Combine(::testing::Values(ScoreRule::kMean, ScoreRule::kSum),
                                            ::testing::Values(1, 4)));

/// The textbook search on sets of prefixes, for fixed lengths: keep the best `beams` prefixes of each length.
std::vector<Scored> level_search(const std::vector<Sequence>& sequences, std::int32_t s,
                                 const ScoreTable& table, std::size_t beams) {
  std::vector<Scored> kept{{{}, 0.0F}};
  for (std::size_t length = 1; length <= sequences.front().size() + 1; ++length) {
    std::vector<Scored> extended;
    for (const auto& prefix : kept) {
      std::set<TokenId> tokens;
      for (const auto& sequence : sequences) {
        const bool continues = std::equal(prefix.tokens.begin(), prefix.tokens.end(), sequence.begin());
        if (continues) tokens.insert(length <= sequence.size() ? sequence[length - 1] : kEndToken);
      }
      for (TokenId token : tokens) {
        extended.push_back({prefix.tokens, prefix.score + table(s, prefix.tokens, token)});
        if (token != kEndToken) extended.back().tokens.push_back(token);
      }
    }
    std::stable_sort(extended.begin(), extended.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    if (extended.size() > beams) extended.resize(beams);
    kept = std::move(extended);
  }
  return kept;
}

/// With fixed lengths all three stopping rules are one search; equal scores go to the lower beam, then token.
void expect_level_search(const std::vector<Sequence>& sequences, const ScoreTable& table, std::int32_t beams,
                         const std::string& what) {
  const PrefixTrie trie = trie_of(sequences);
  const auto tokens = static_cast<float>(sequences.front().size() + 1);
  for (const Stopping stopping : {Stopping::kExact, Stopping::kFirstFinished, Stopping::kCurrentLength}) {
    const auto found = searched(trie.automaton(), 2, table, {.beams = beams, .stopping = stopping});
    for (std::int32_t s = 0; s < 2; ++s) {
      const auto expected = level_search(sequences, s, table, static_cast<std::size_t>(beams));
      const auto& mine = found[static_cast<std::size_t>(s)];
      ASSERT_EQ(mine.size(), expected.size());
      for (std::size_t h = 0; h < mine.size(); ++h) {
        EXPECT_EQ(mine[h].tokens, expected[h].tokens) << what << " place " << h;
        EXPECT_FLOAT_EQ(mine[h].log_probability, expected[h].score);
        EXPECT_FLOAT_EQ(mine[h].score, expected[h].score / tokens);
      }
    }
  }
}

TEST(BeamSearch, FixedLengthsAreLevelByLevelSearch) {
  for (const bool ties : {false, true}) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      expect_level_search(random_sequences(60, 4, 4, 5, seed), ScoreTable(seed, ties), 5,
                          "seed " + std::to_string(seed) + (ties ? " ties" : ""));
    }
  }
}

/// Nodes with hundreds of tokens, most of them too bad to be looked at one by one.
TEST(BeamSearch, WideNodesAreLevelByLevelSearch) {
  for (const bool ties : {false, true}) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      expect_level_search(random_sequences(3000, 2, 2, 300, seed), ScoreTable(seed, ties), 3,
                          "seed " + std::to_string(seed) + (ties ? " ties" : ""));
    }
  }
}

/// What comes late in a wide node counts: the best tokens, and a score that is not a number.
TEST(BeamSearch, WideNodesAreSearchedToTheirEnd) {
  constexpr TokenId kLast = 1000;
  std::vector<Sequence> sequences;
  std::vector<float> rising;
  for (TokenId token = kLast - 500; token <= kLast; ++token) {
    sequences.push_back({token});
    rising.push_back(static_cast<float>(token - kLast) - 0.5F);
  }
  const PrefixTrie trie = trie_of(sequences);
  BeamSearch search(trie.automaton(), 1, {.beams = 2});
  search.advance(rising);
  EXPECT_THAT(std::vector(search.tokens().begin(), search.tokens().end()), ElementsAre(kLast, kLast - 1));
  BeamSearch another(trie.automaton(), 1, {.beams = 2});
  std::vector<float> falling(rising.rbegin(), rising.rend());
  falling.back() = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(another.advance(falling), Error);
}

/// A table given by hand.
class Fixed {
 public:
  std::map<std::pair<Sequence, TokenId>, float> values;
  std::vector<std::vector<Hypothesis>> run(const TokenAutomaton& automaton, const BeamOptions& options,
                                           std::int64_t* rows = nullptr) const {
    BeamSearch search(automaton, 1, options);
    std::vector<Sequence> prefixes;
    for (int step = 0; !search.done(); ++step) {
      std::vector<Sequence> next;
      std::vector<float> scores;
      for (std::size_t r = 0; r < search.tokens().size(); ++r) {
        next.push_back(step == 0 ? Sequence() : prefixes[static_cast<std::size_t>(search.parents()[r])]);
        if (step > 0) next.back().push_back(search.tokens()[r]);
        for (auto c = search.offsets()[r]; c < search.offsets()[r + 1]; ++c) {
          scores.push_back(values.at({next.back(), search.candidates()[static_cast<std::size_t>(c)]}));
        }
      }
      if (rows != nullptr) *rows += static_cast<std::int64_t>(next.size());
      prefixes = std::move(next);
      search.advance(scores);
    }
    return search.take_results();
  }
};

/// {3} finishes at once with mean -1; {4, 5, 6} reaches -0.7 only at its end. The search that stops at the
/// first finished hypotheses never sees it.
TEST(BeamSearch, AFinishedHypothesisDoesNotEndTheSearchOfALongerOne) {
  const PrefixTrie trie = trie_of({{3}, {4, 5, 6}});
  Fixed table;
  table.values = {{{{}, 3}, -1.0F},  {{{}, 4}, -1.5F},     {{{3}, kEndToken}, -1.0F},
                  {{{4}, 5}, -0.6F}, {{{4, 5}, 6}, -0.4F}, {{{4, 5, 6}, kEndToken}, -0.3F}};
  BeamOptions options{.beams = 2};
  const auto both = table.run(trie.automaton(), options);
  ASSERT_EQ(both[0].size(), 2U);
  EXPECT_THAT(both[0][0].tokens, ElementsAre(4, 5, 6));
  EXPECT_FLOAT_EQ(both[0][0].score, -0.7F);
  EXPECT_THAT(both[0][1].tokens, ElementsAre(3));
  options.score = ScoreRule::kSum;
  EXPECT_THAT(table.run(trie.automaton(), options)[0][0].tokens, ElementsAre(3));
}

/// By the sum, a live beam that is below the worst kept hypothesis is given up: its rows are not decoded.
TEST(BeamSearch, BeamsThatCannotWinAreGivenUp) {
  const PrefixTrie trie = trie_of({{3}, {4, 5, 6}});
  Fixed table;
  table.values = {{{{}, 3}, -0.1F},  {{{}, 4}, -5.0F},     {{{3}, kEndToken}, -0.1F},
                  {{{4}, 5}, -0.1F}, {{{4, 5}, 6}, -0.1F}, {{{4, 5, 6}, kEndToken}, -0.1F}};
  std::int64_t rows = 0;
  const auto best = table.run(trie.automaton(), {.beams = 1, .score = ScoreRule::kSum}, &rows);
  EXPECT_THAT(best[0][0].tokens, ElementsAre(3));
  EXPECT_EQ(rows, 2);  // the root and {3}
  // With two places nothing is full until the longer one has ended as well.
  rows = 0;
  EXPECT_EQ(table.run(trie.automaton(), {.beams = 2, .score = ScoreRule::kSum}, &rows)[0].size(), 2U);
  EXPECT_EQ(rows, 5);
}

/// A search of the same width that gives no beam up before its end.
std::vector<Scored> patient_search(const PrefixTrie& trie, const ScoreTable& table, std::size_t beams,
                                   double penalty) {
  struct Live {
    Sequence tokens;
    std::int32_t node;
    float sum;
  };
  std::vector<Live> live{{{}, 0, 0.0F}};
  std::vector<Scored> finished;
  for (int steps = 1; !live.empty(); ++steps) {
    std::vector<Live> extended;
    for (const auto& beam : live) {
      const auto tokens = trie.automaton().tokens_of(beam.node);
      const auto first =
          static_cast<std::size_t>(trie.automaton().begin[static_cast<std::size_t>(beam.node)]);
      for (std::size_t e = 0; e < tokens.size(); ++e) {
        const float sum = beam.sum + table(0, beam.tokens, tokens[e]);
        if (tokens[e] == kEndToken) {
          finished.push_back({beam.tokens, sum / static_cast<float>(std::pow(steps, penalty))});
        } else {
          extended.push_back({beam.tokens, trie.automaton().target[first + e], sum});
          extended.back().tokens.push_back(tokens[e]);
        }
      }
    }
    std::ranges::stable_sort(extended, std::greater(), &Live::sum);
    if (extended.size() > beams) extended.resize(beams);
    live = std::move(extended);
  }
  std::ranges::stable_sort(finished, std::greater(), &Scored::score);
  if (finished.size() > beams) finished.resize(beams);
  return finished;
}

/// Giving up beams that cannot win changes no result, and saves rows.
TEST(BeamSearch, TheExactStopLosesNothing) {
  for (const ScoreRule rule : {ScoreRule::kMean, ScoreRule::kSum}) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const PrefixTrie trie = trie_of(random_sequences(40, 1, 5, 3, seed));
      const ScoreTable table(seed);
      const auto mine = searched(trie.automaton(), 1, table, {.beams = 3, .score = rule});
      const auto expected = patient_search(trie, table, 3, rule == ScoreRule::kMean ? 1 : 0);
      ASSERT_EQ(mine[0].size(), expected.size()) << "seed " << seed;
      for (std::size_t h = 0; h < expected.size(); ++h) {
        EXPECT_EQ(mine[0][h].tokens, expected[h].tokens) << "seed " << seed << " place " << h;
        EXPECT_EQ(mine[0][h].score, expected[h].score);
      }
    }
  }
}

TEST(BeamSearch, SequencesDoNotInfluenceEachOther) {
  const PrefixTrie trie = trie_of(random_sequences(50, 1, 4, 5, 7));
  const ScoreTable table(7);
  std::size_t most_rows = 0;
  const auto together = searched(trie.automaton(), 5, table, {.beams = 6}, &most_rows);
  EXPECT_LE(most_rows, 30U);
  const auto fewer = searched(trie.automaton(), 2, table, {.beams = 6});
  for (std::size_t s = 0; s < 2; ++s) {
    ASSERT_EQ(together[s].size(), fewer[s].size());
    for (std::size_t h = 0; h < fewer[s].size(); ++h) {
      EXPECT_EQ(together[s][h].tokens, fewer[s][h].tokens);
      EXPECT_EQ(together[s][h].score, fewer[s][h].score);
    }
  }
}

TEST(BeamSearch, FewerSequencesThanBeams) {
  const PrefixTrie trie = trie_of({{3, 4}, {3, 5}});
  const auto found = searched(trie.automaton(), 1, ScoreTable(1), {.beams = 20});
  EXPECT_EQ(found[0].size(), 2U);
  EXPECT_TRUE(searched(trie.automaton(), 0, ScoreTable(1), {.beams = 20}).empty());
}

TEST(BeamSearch, RefusesScoresThatAreNoNumbers) {
  const PrefixTrie trie = trie_of({{3}, {4}});
  BeamSearch search(trie.automaton(), 1, {.beams = 2});
  const std::vector<float> scores{-1, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THROW(search.advance(scores), Error);
  EXPECT_THROW(search.advance(std::vector<float>{-1}), Error);
}

}  // namespace
}  // namespace genrec
