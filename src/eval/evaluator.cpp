#include "eval/evaluator.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/stopwatch.h"
#include "comm/agreed_stop.h"
#include "decoding/parallel_generator.h"
#include "eval/metrics.h"
#include "eval/user_sample.h"

namespace genrec {
namespace {

void check_cutoffs(const EvaluatorOptions& options) {
  if (options.ks.empty()) throw UsageError("eval.k: expected at least one cut-off, like 5,10");
  for (std::int32_t k : options.ks) {
    if (k >= 1 && k <= options.ranking.beams.beams) continue;
    throw UsageError("eval.k = " + std::to_string(k) + ": expected 1 to decode.beams = " +
                     std::to_string(options.ranking.beams.beams) + "; raise decode.beams");
  }
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

}  // namespace

void rank_samples(const T5Model& model, const PrefixTrie& trie, std::span<const Sample> samples,
                  const SampleSource& source, const RankingOptions& options, const RankingSink& sink,
                  const RankingProgress& progress) {
  const auto sources_of = [&](Range range) {
    PackedSequences sources;
    for (std::int64_t i = range.begin; i < range.end; ++i)
      source(samples[static_cast<std::size_t>(i)], sources);
    return sources;
  };
  const auto hand_on = [&](std::int64_t, Range range, std::vector<std::vector<Hypothesis>> found) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      sink(samples[static_cast<std::size_t>(i)], found[static_cast<std::size_t>(i - range.begin)]);
    }
  };
  generate_in_blocks(model, static_cast<std::int64_t>(samples.size()), options.block, options.threads,
                     sources_of, trie.automaton(), options.beams, hand_on, progress);
}

void recommend(const T5Model& model, const PrefixTrie& trie, const Interactions& interactions,
               std::span<const std::int32_t> rows, std::int64_t limit, const SampleSource& source,
               const RankingOptions& options, const RecommendationSink& sink,
               const RankingProgress& progress) {
  std::vector<Sample> samples;
  samples.reserve(rows.size());
  for (std::int32_t row : rows) samples.push_back({row, static_cast<std::int32_t>(interactions.length(row))});
  const auto hand_on = [&](Sample sample, std::span<const Hypothesis> hypotheses) {
    const UserId user = interactions.users[static_cast<std::size_t>(sample.row)];
    sink(user, rank_items(hypotheses, trie, limit, options.seed, user));
  };
  rank_samples(model, trie, samples, source, options, hand_on, progress);
}

EvaluationReport evaluate(const T5Model& model, const PrefixTrie& trie, const Dataset& dataset, Split split,
                          const SampleSource& source, const EvaluatorOptions& options, Communicator& world,
                          const RankingProgress& progress) {
  check_cutoffs(options);
  const Stopwatch watch;
  const Interactions& interactions = dataset.interactions;
  const std::int32_t limit = *std::max_element(options.ks.begin(), options.ks.end());
  RankCounts by_item(limit), by_identifier(limit);
  Coverage coverage(dataset.items(), limit);
  const auto count = [&](Sample sample, std::span<const Hypothesis> hypotheses) {
    const UserId user = interactions.users[static_cast<std::size_t>(sample.row)];
    const ItemId target = interactions.row(sample.row)[static_cast<std::size_t>(sample.target)];
    const auto ranking = rank_items(hypotheses, trie, limit, options.ranking.seed, user);
    by_item.add(rank_of(ranking, target));
    by_identifier.add(identifier_rank_of(hypotheses, trie, target));
    for (std::size_t r = 0; r < ranking.size(); ++r)
      coverage.add(ranking[r].item, static_cast<std::int32_t>(r) + 1);
  };
  const auto samples = sampled_users(dataset, split, options.users, options.ranking.seed);
  leave_together(world,
                 [&] { rank_samples(model, trie, samples, source, options.ranking, count, progress); });

  by_item.reduce(world);
  by_identifier.reduce(world);
  coverage.reduce(world);
  EvaluationReport report;
  report.by_item = by_item.metrics(options.ks);
  report.by_identifier = by_identifier.metrics(options.ks);
  for (std::int32_t k : options.ks) report.by_item["coverage@" + std::to_string(k)] = coverage.at(k);
  report.users = by_item.users();
  double seconds = watch.seconds();
  world.all_reduce_max(std::span(&seconds, 1));
  report.seconds = seconds;
  for (const auto* metrics : {&report.by_item, &report.by_identifier}) {
    if (const auto faults = inconsistencies(*metrics); !faults.empty()) {
      throw Error(ExitCode::kInternal, "evaluation: metrics contradict each other: " + joined(faults));
    }
  }
  return report;
}

}  // namespace genrec
