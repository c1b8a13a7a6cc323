#include "decoding/beam_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace genrec {
namespace {

/// Ascending keys are descending scores, then ascending positions.
std::uint64_t packed(float score, std::size_t position) {
  const auto bits = std::bit_cast<std::uint32_t>(score);
  const std::uint32_t ascending = (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
  return (static_cast<std::uint64_t>(~ascending) << 32) | static_cast<std::uint32_t>(position);
}

std::size_t position_of(std::uint64_t key) {
  return static_cast<std::uint32_t>(key);
}

float score_of(std::uint64_t key) {
  const auto ascending = ~static_cast<std::uint32_t>(key >> 32);
  return std::bit_cast<float>((ascending >> 31) != 0 ? ascending & 0x7fffffffU : ~ascending);
}

/// Leaves the least `count` keys, the largest of them last.
void keep_front(std::vector<std::uint64_t>& keys, std::size_t count) {
  std::nth_element(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(count) - 1, keys.end());
  keys.resize(count);
}

/// The least `count` keys, in order.
void sort_front(std::vector<std::uint64_t>& keys, std::size_t count) {
  if (count < keys.size()) keep_front(keys, count);
  std::sort(keys.begin(), keys.end());
}

float not_nan(float score) {
  if (std::isnan(score))
    throw Error(ExitCode::kInternal, "beam search: a score of the model is not a number");
  return score;
}

void prefetch(const void* address) {
  __builtin_prefetch(address);
}

constexpr std::size_t kBlock = 64;  ///< candidates that are looked at together

/// How many of `n` scores, each raised by `base`, lie above a bound; one that is no number counts.
std::size_t count_above(const float* scores, std::size_t n, float base, float bound) {
  // Integers, so that the compiler may take several at once.
  std::uint32_t above = 0;
  for (std::size_t i = 0; i < n; ++i) above += static_cast<std::uint32_t>(!(base + scores[i] <= bound));
  return above;
}

}  // namespace

void BeamSearch::Rows::append(TokenId t, std::int32_t p, std::int32_t s, std::int32_t n, float score) {
  token.push_back(t);
  parent.push_back(p);
  sequence.push_back(s);
  node.push_back(n);
  log_probability.push_back(score);
}

BeamSearch::BeamSearch(const TokenAutomaton& automaton, std::int64_t sequences, const BeamOptions& options)
    : automaton_(automaton),
      options_(options),
      penalty_(options.score == ScoreRule::kSum ? 0 : options.length_penalty),
      kept_(static_cast<std::size_t>(sequences)) {
  if (options.beams < 1) throw Error(ExitCode::kInternal, "beam search: at least one beam is needed");
  if (automaton.nodes() == 0 || automaton.tokens_of(0).empty()) {
    throw Error(ExitCode::kInternal, "beam search: the automaton allows no token at its root");
  }
  for (std::int64_t s = 0; s < sequences; ++s) rows_.append(kPadToken, 0, static_cast<std::int32_t>(s), 0, 0);
  list_candidates();
}

void BeamSearch::list_candidates() {
  // The nodes of a large catalogue lie anywhere in memory: all are asked for before the first is waited for.
  for (const std::int32_t node : rows_.node) prefetch(&automaton_.begin[static_cast<std::size_t>(node)]);
  offsets_.assign(1, 0);
  for (const std::int32_t node : rows_.node) {
    const auto tokens = automaton_.tokens_of(node);
    prefetch(tokens.data());
    offsets_.push_back(offsets_.back() + static_cast<std::int64_t>(tokens.size()));
  }
  candidates_.resize(static_cast<std::size_t>(offsets_.back()));
  auto place = candidates_.begin();
  for (const std::int32_t node : rows_.node) place = std::ranges::copy(automaton_.tokens_of(node), place).out;
}

void BeamSearch::advance(std::span<const float> log_probabilities) {
  if (log_probabilities.size() != candidates_.size()) {
    throw Error(ExitCode::kInternal, "beam search: " + std::to_string(log_probabilities.size()) +
                                         " scores for " + std::to_string(candidates_.size()) + " candidates");
  }
  Rows next;
  for (std::size_t first = 0, last = 0; first < rows_.token.size(); first = last) {
    const std::int32_t sequence = rows_.sequence[first];
    while (last < rows_.token.size() && rows_.sequence[last] == sequence) ++last;
    advance_sequence(sequence, first, last, log_probabilities, next);
  }
  history_.push_back({std::move(rows_.token), std::move(rows_.parent)});
  rows_ = std::move(next);
  list_candidates();
}

void BeamSearch::advance_sequence(std::int32_t sequence, std::size_t first_row, std::size_t last_row,
                                  std::span<const float> log_probabilities, Rows& next) {
  const bool exact = options_.stopping == Stopping::kExact;
  const auto beams = static_cast<std::size_t>(options_.beams);
  const auto first = static_cast<std::size_t>(offsets_[first_row]);
  const std::size_t wanted = exact ? beams : 2 * beams;
  // Almost all candidates of a large catalogue lie below the best so far: blocks without a better one are
  // passed over.
  float bound = -std::numeric_limits<float>::infinity();
  bool bounded = false;
  keys_.clear();
  for (std::size_t row = first_row; row < last_row; ++row) {
    const float base = rows_.log_probability[row];
    auto c = static_cast<std::size_t>(offsets_[row]);
    const auto end = static_cast<std::size_t>(offsets_[row + 1]);
    // The exact search has no reason to turn a finished sequence away; live beams compete among themselves.
    // The end token is the lowest one.
    if (exact && c < end && candidates_[c] == kEndToken) {
      keep(sequence, row, not_nan(base + log_probabilities[c++]));
    }
    while (c < end) {
      const std::size_t block_end = std::min(end, c + kBlock);
      if (bounded && count_above(log_probabilities.data() + c, block_end - c, base, bound) == 0) {
        c = block_end;
        continue;
      }
      for (; c < block_end; ++c) {
        const float sum = not_nan(base + log_probabilities[c]);
        if (!bounded || sum > bound) keys_.push_back(packed(sum, c - first));
      }
      if (keys_.size() >= 4 * wanted) {
        keep_front(keys_, wanted);
        bound = score_of(keys_.back());
        bounded = true;
      }
    }
  }
  sort_front(keys_, wanted);

  chosen_.clear();
  for (const std::uint64_t key : keys_) {
    const std::size_t candidate = first + position_of(key);
    const auto above = std::upper_bound(offsets_.begin() + static_cast<std::ptrdiff_t>(first_row),
                                        offsets_.end(), static_cast<std::int64_t>(candidate));
    const auto row = static_cast<std::size_t>(above - offsets_.begin()) - 1;
    const auto edge = static_cast<std::size_t>(automaton_.begin[static_cast<std::size_t>(rows_.node[row])]) +
                      candidate - static_cast<std::size_t>(offsets_[row]);
    prefetch(&automaton_.target[edge]);
    chosen_.push_back({candidate, row, edge});
  }

  const std::size_t next_first = next.token.size();
  for (std::size_t rank = 0; rank < chosen_.size() && next.token.size() - next_first < beams; ++rank) {
    const auto [candidate, row, edge] = chosen_[rank];
    const float sum = rows_.log_probability[row] + log_probabilities[candidate];
    const std::int32_t target = automaton_.target[edge];
    if (target != TokenAutomaton::kFinal) {
      // Log-probabilities only fall: the best a beam may reach is its sum over the longest length.
      if (exact && full(sequence) && scored(sum, automaton_.max_steps) <= worst_kept(sequence)) break;
      next.append(candidates_[candidate], static_cast<std::int32_t>(row), sequence, target, sum);
    } else if (rank < beams) {
      keep(sequence, row, sum);
    }
  }
  if (exact || !full(sequence) || next.token.size() == next_first) return;
  const auto steps = static_cast<std::int64_t>(history_.size()) + 1;
  if (options_.stopping == Stopping::kFirstFinished ||
      scored(next.log_probability[next_first], steps) <= worst_kept(sequence)) {
    for (auto* column : {&next.parent, &next.sequence, &next.node}) column->resize(next_first);
    next.token.resize(next_first);
    next.log_probability.resize(next_first);
  }
}

bool BeamSearch::full(std::int32_t sequence) const {
  return kept_[static_cast<std::size_t>(sequence)].size() == static_cast<std::size_t>(options_.beams);
}

float BeamSearch::worst_kept(std::int32_t sequence) const {
  return kept_[static_cast<std::size_t>(sequence)].back().score;
}

float BeamSearch::scored(float log_probability, std::int64_t tokens) const {
  return log_probability / static_cast<float>(std::pow(static_cast<double>(tokens), penalty_));
}

void BeamSearch::keep(std::int32_t sequence, std::size_t row, float log_probability) {
  const float score = scored(log_probability, static_cast<std::int64_t>(history_.size()) + 1);
  if (full(sequence) && score <= worst_kept(sequence)) return;
  auto& kept = kept_[static_cast<std::size_t>(sequence)];
  if (full(sequence)) kept.pop_back();
  const auto place =
      std::upper_bound(kept.begin(), kept.end(), score,
                       [](float value, const Hypothesis& other) { return value > other.score; });
  kept.insert(place, Hypothesis{tokens_of_row(row), rows_.node[row], score, log_probability});
}

std::vector<TokenId> BeamSearch::tokens_of_row(std::size_t row) const {
  std::vector<TokenId> tokens(history_.size());
  if (tokens.empty()) return tokens;
  tokens.back() = rows_.token[row];
  std::int32_t parent = rows_.parent[row];
  for (std::size_t step = history_.size(); step-- > 1;) {
    tokens[step - 1] = history_[step].token[static_cast<std::size_t>(parent)];
    parent = history_[step].parent[static_cast<std::size_t>(parent)];
  }
  return tokens;
}

std::vector<std::vector<Hypothesis>> BeamSearch::take_results() {
  return std::move(kept_);
}

}  // namespace genrec
