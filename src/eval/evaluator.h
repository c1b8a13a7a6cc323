#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/metrics.h"
#include "comm/communicator.h"
#include "data/dataset.h"
#include "decoding/beam_search.h"
#include "eval/ranking.h"
#include "model/t5_model.h"

namespace genrec {

/// How the model ranks items.
struct RankingOptions {
  BeamOptions beams;
  std::int64_t block = 32;  ///< users decoded together by one thread; fixed, results do not depend on threads
  int threads = 1;
  std::uint64_t seed = 42;  ///< of the order of items that share an identifier
};

/// Appends the source of a sample, end token and offset included (RecommendationTask::append_source). Called
/// from several threads at once.
using SampleSource = std::function<void(Sample sample, PackedSequences& sources)>;
/// Called for each sample in their order, by one thread at a time. `hypotheses`: identifiers, best first.
using RankingSink = std::function<void(Sample sample, std::span<const Hypothesis> hypotheses)>;
/// May throw StoppedEarly: evaluate() then throws it on every rank.
using RankingProgress = std::function<void(std::int64_t done)>;

/// Beam-searches identifiers for this rank's samples. A sample's target may be the length of its history:
/// what comes next. Not collective.
void rank_samples(const T5Model& model, const PrefixTrie& trie, std::span<const Sample> samples,
                  const SampleSource& source, const RankingOptions& options, const RankingSink& sink,
                  const RankingProgress& progress = {});

/// A user's first `limit` items.
using RecommendationSink = std::function<void(UserId user, std::span<const ScoredItem> items)>;
/// What each of the rows' users may want next, in row order: the whole history is the source. Not collective.
void recommend(const T5Model& model, const PrefixTrie& trie, const Interactions& interactions,
               std::span<const std::int32_t> rows, std::int64_t limit, const SampleSource& source,
               const RankingOptions& options, const RecommendationSink& sink,
               const RankingProgress& progress = {});

struct EvaluatorOptions {
  RankingOptions ranking;
  std::vector<std::int32_t> ks = {5, 10};
  std::int64_t users = 0;  ///< a fixed draw of so many users of the whole dataset (sampled_users); 0: all
};

struct EvaluationReport {
  Metrics by_item;        ///< recall@k, ndcg@k, coverage@k; what counts
  Metrics by_identifier;  ///< recall@k, ndcg@k where a shared identifier is a hit (LETTER's convention)
  std::int64_t users = 0;
  double seconds = 0;  ///< the slowest rank's
};

/// Exact metrics over the users of all ranks, one sample a user of `split`. Collective; a rank may have no
/// user. The result does not depend on ranks and threads. Throws UsageError when a k exceeds the beams, an
/// internal Error when the metrics contradict themselves (method 7.2).
[[nodiscard]] EvaluationReport evaluate(const T5Model& model, const PrefixTrie& trie, const Dataset& dataset,
                                        Split split, const SampleSource& source,
                                        const EvaluatorOptions& options, Communicator& world,
                                        const RankingProgress& progress = {});

}  // namespace genrec
