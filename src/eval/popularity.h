#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/metrics.h"
#include "comm/communicator.h"
#include "data/dataset.h"

namespace genrec {

/// Items by their count in the training part of all users' histories (all but the last two), descending; ties
/// by item id. Collective; the same on every rank.
[[nodiscard]] std::vector<ItemId> popularity_ranking(const Dataset& dataset, Communicator& world);

/// recall@k, ndcg@k and coverage@k when everybody is shown popularity_ranking(); items of a user's history
/// stay in it. `users` and `seed` as in sampled_users(). Collective.
[[nodiscard]] Metrics popularity_baseline(const Dataset& dataset, Split split,
                                          std::span<const std::int32_t> ks, std::int64_t users,
                                          std::uint64_t seed, Communicator& world);

}  // namespace genrec
