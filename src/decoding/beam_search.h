#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "decoding/hypothesis.h"
#include "decoding/token_automaton.h"

namespace genrec {

/// How sequences of different lengths compare: mean log-probability per token (end token included; SIIT's
/// perplexity ranking) or the sum. For fixed-length identifiers the order is the same.
enum class ScoreRule { kMean, kSum };

/// When a sequence's search ends. The last two are Hugging Face's, for comparison with it.
enum class Stopping {
  kExact,          ///< when no live beam can overtake the worst kept hypothesis
  kFirstFinished,  ///< at `beams` finished hypotheses (early_stopping=True)
  kCurrentLength,  ///< when the best live beam, were it to end now, is no better (early_stopping=False)
};

struct BeamOptions {
  std::int32_t beams = 20;
  ScoreRule score = ScoreRule::kMean;
  Stopping stopping = Stopping::kExact;
  double length_penalty = 1;  ///< of kMean: log p / tokens^penalty
};

/// Beam search that sees scores only: it says which rows to decode and which tokens to score, and takes the
/// scores back.
///
///     BeamSearch search(automaton, sequences, options);
///     while (!search.done()) search.advance(log_probabilities of search.candidates());
///     auto hypotheses = search.take_results();
///
/// Rows are ragged: one a sequence in the first step, then at most `beams`, none once a sequence has ended.
/// Ties go to the lower row, then the lower token.
class BeamSearch {
 public:
  /// Keeps a reference to the automaton.
  BeamSearch(const TokenAutomaton& automaton, std::int64_t sequences, const BeamOptions& options);

  [[nodiscard]] bool done() const { return rows_.token.empty(); }
  /// What each row is fed (the start token at first).
  [[nodiscard]] std::span<const TokenId> tokens() const { return rows_.token; }
  /// The row of the step before that each row continues (0 at first).
  [[nodiscard]] std::span<const std::int32_t> parents() const { return rows_.parent; }
  /// The sequence of each row, ascending.
  [[nodiscard]] std::span<const std::int32_t> sequences() const { return rows_.sequence; }
  /// Row r may be followed by candidates()[offsets()[r] .. offsets()[r+1]).
  [[nodiscard]] std::span<const std::int64_t> offsets() const { return offsets_; }
  [[nodiscard]] std::span<const TokenId> candidates() const { return candidates_; }

  /// One log-probability a candidate. Throws an internal Error when one is not a number.
  void advance(std::span<const float> log_probabilities);
  /// The hypotheses of each sequence, best first, at most `beams`; call once, when done().
  [[nodiscard]] std::vector<std::vector<Hypothesis>> take_results();

 private:
  struct Rows {
    std::vector<TokenId> token;
    std::vector<std::int32_t> parent, sequence, node;
    std::vector<float> log_probability;  ///< sum so far
    void append(TokenId t, std::int32_t p, std::int32_t s, std::int32_t n, float score);
  };
  struct Step {
    std::vector<TokenId> token;
    std::vector<std::int32_t> parent;
  };

  struct Chosen {
    std::size_t candidate, row, edge;
  };

  void list_candidates();
  void advance_sequence(std::int32_t sequence, std::size_t first_row, std::size_t last_row,
                        std::span<const float> log_probabilities, Rows& next);
  void keep(std::int32_t sequence, std::size_t row, float log_probability);
  [[nodiscard]] bool full(std::int32_t sequence) const;
  [[nodiscard]] float worst_kept(std::int32_t sequence) const;
  [[nodiscard]] float scored(float log_probability, std::int64_t tokens) const;
  [[nodiscard]] std::vector<TokenId> tokens_of_row(std::size_t row) const;

  const TokenAutomaton& automaton_;
  BeamOptions options_;
  double penalty_;
  Rows rows_;
  std::vector<Step> history_;  ///< rows of every step before this one
  std::vector<std::int64_t> offsets_;
  std::vector<TokenId> candidates_;
  std::vector<std::uint64_t> keys_;  ///< of one sequence: score (descending), then candidate
  std::vector<Chosen> chosen_;       ///< what the best keys stand for
  std::vector<std::vector<Hypothesis>> kept_;
};

}  // namespace genrec
