#include "eval/ranker_evaluator.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string>

#include "base/error.h"
#include "comm/agreed_stop.h"
#include "eval/metrics.h"
#include "eval/user_sample.h"

namespace genrec {
namespace {

constexpr std::int64_t kScores = std::int64_t{1} << 26;  // at once: 256 MiB

void check(const RankerEvaluatorOptions& options) {
  if (options.ks.empty()) throw UsageError("eval.k: expected at least one cut-off, like 5,10");
  for (const std::int32_t k : options.ks) {
    std::string message("eval.k = ");
    if (k < 1) throw UsageError(message + std::to_string(k) + ": expected at least 1");
  }
}

/// The samples' scores on the host, [samples, items].
at::Tensor scores_of(const ItemRanker& ranker, const Interactions& interactions,
                     std::span<const Sample> samples, bool exclude_history) {
  std::vector<RankerQuery> queries;
  for (const Sample sample : samples) {
    queries.push_back({interactions.users[static_cast<std::size_t>(sample.row)],
                       interactions.row(sample.row).first(static_cast<std::size_t>(sample.target))});
  }
  at::Tensor scores = ranker.scores(queries).to(at::kCPU).contiguous();
  if (!exclude_history) return scores;
  auto* values = scores.data_ptr<float>();
  for (std::size_t i = 0; i < queries.size(); ++i) {
    float* row = values + static_cast<std::int64_t>(i) * ranker.items();
    for (const ItemId item : queries[i].history) row[item] = -std::numeric_limits<float>::infinity();
  }
  return scores;
}

}  // namespace

Metrics evaluate_ranker(const ItemRanker& ranker, const Dataset& dataset, Split split,
                        const RankerEvaluatorOptions& options, Communicator& world,
                        const std::function<void(std::int64_t done)>& progress) {
  check(options);
  const Interactions& interactions = dataset.interactions;
  const std::int32_t limit = *std::max_element(options.ks.begin(), options.ks.end());
  RankCounts counts(limit);
  Coverage coverage(dataset.items(), limit);
  const std::vector<Sample> samples = sampled_users(dataset, split, options.users, options.seed);
  const std::int64_t items = std::max<std::int64_t>(1, ranker.items());
  const auto batch = static_cast<std::size_t>(
      std::clamp<std::int64_t>(kScores / items, 1, std::max<std::int64_t>(1, options.batch)));
  leave_together(world, [&] {
    for (std::size_t begin = 0; begin < samples.size(); begin += batch) {
      const auto part = std::span(samples).subspan(begin, std::min(batch, samples.size() - begin));
      const std::vector<ItemId> ranking =
          rank_top_k(scores_of(ranker, interactions, part, options.exclude_history), limit);
      const std::size_t width = ranking.size() / part.size();
      for (std::size_t i = 0; i < part.size(); ++i) {
        const auto shown = std::span(ranking).subspan(i * width, width);
        const ItemId target = interactions.row(part[i].row)[static_cast<std::size_t>(part[i].target)];
        const auto found = std::find(shown.begin(), shown.end(), target);
        counts.add(found == shown.end() ? 0 : found - shown.begin() + 1);
        for (std::size_t r = 0; r < width; ++r) coverage.add(shown[r], static_cast<std::int32_t>(r) + 1);
      }
      if (progress) progress(static_cast<std::int64_t>(begin + part.size()));
    }
  });
  counts.reduce(world);
  coverage.reduce(world);
  Metrics metrics = counts.metrics(options.ks);
  for (const std::int32_t k : options.ks) metrics["coverage@" + std::to_string(k)] = coverage.at(k);
  if (const auto faults = inconsistencies(metrics); !faults.empty()) {
    throw Error(ExitCode::kInternal, "evaluation: metrics contradict each other: " + faults.front());
  }
  return metrics;
}

}  // namespace genrec
