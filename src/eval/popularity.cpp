#include "eval/popularity.h"

#include <algorithm>
#include <numeric>

#include "eval/metrics.h"
#include "eval/user_sample.h"

namespace genrec {

std::vector<ItemId> popularity_ranking(const Dataset& dataset, Communicator& world) {
  std::vector<std::int64_t> count(static_cast<std::size_t>(dataset.items()));
  const Interactions& interactions = dataset.interactions;
  for (std::int64_t row = 0; row < interactions.rows(); ++row) {
    const auto history = interactions.row(row);
    for (std::size_t i = 0; i + 2 < history.size(); ++i) ++count[static_cast<std::size_t>(history[i])];
  }
  world.all_reduce_sum(std::span(count));
  std::vector<ItemId> ranking(count.size());
  std::iota(ranking.begin(), ranking.end(), 0);
  std::stable_sort(ranking.begin(), ranking.end(), [&](ItemId a, ItemId b) {
    return count[static_cast<std::size_t>(a)] > count[static_cast<std::size_t>(b)];
  });
  return ranking;
}

Metrics popularity_baseline(const Dataset& dataset, Split split, std::span<const std::int32_t> ks,
                            std::int64_t users, std::uint64_t seed, Communicator& world) {
  const std::vector<ItemId> ranking = popularity_ranking(dataset, world);
  std::vector<std::int64_t> rank(ranking.size());
  for (std::size_t r = 0; r < ranking.size(); ++r) {
    rank[static_cast<std::size_t>(ranking[r])] = static_cast<std::int64_t>(r) + 1;
  }
  RankCounts counts(*std::max_element(ks.begin(), ks.end()));
  const Interactions& interactions = dataset.interactions;
  for (Sample sample : sampled_users(dataset, split, users, seed)) {
    const ItemId target = interactions.row(sample.row)[static_cast<std::size_t>(sample.target)];
    counts.add(rank[static_cast<std::size_t>(target)]);
  }
  counts.reduce(world);
  Metrics metrics = counts.metrics(ks);
  for (std::int32_t k : ks) {
    const double shown = counts.users() > 0 ? std::min<double>(k, static_cast<double>(ranking.size())) : 0;
    metrics["coverage@" + std::to_string(k)] =
        ranking.empty() ? 0 : shown / static_cast<double>(ranking.size());
  }
  return metrics;
}

}  // namespace genrec
