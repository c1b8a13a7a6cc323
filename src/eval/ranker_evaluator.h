#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "base/metrics.h"
#include "cf/ranker.h"
#include "comm/communicator.h"
#include "data/dataset.h"

namespace genrec {

struct RankerEvaluatorOptions {
  std::vector<std::int32_t> ks = {5, 10};
  std::int64_t users = 0;    ///< a fixed draw of so many users of the whole dataset (sampled_users); 0: all
  std::uint64_t seed = 42;   ///< of that draw
  std::int64_t batch = 256;  ///< users scored at once, less where items are many
  /// Items of the user's history are not ranked. Off in the protocol of the generative papers; graph models
  /// are usually evaluated with it, since they rank what they were trained on first.
  bool exclude_history = false;
};

/// recall@k, ndcg@k and coverage@k of a model over the users of all ranks, exact sums; all items are ranked,
/// from the whole history before the target. Collective; a rank may have no user. `progress` may throw
/// StoppedEarly: every rank then throws it. Throws UsageError for cut-offs below 1, an internal Error when
/// the metrics contradict themselves (method 7.2).
[[nodiscard]] Metrics evaluate_ranker(const ItemRanker& ranker, const Dataset& dataset, Split split,
                                      const RankerEvaluatorOptions& options, Communicator& world,
                                      const std::function<void(std::int64_t done)>& progress = {});

}  // namespace genrec
