#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "nn/parameter_store.h"

namespace genrec {

/// How far a training has come, between two steps: the same on all ranks.
struct CfTrainProgress {
  std::int64_t epoch = 0;               ///< epochs done
  std::int64_t step = 0;                ///< steps done of the epoch after them
  double loss_sum = 0, loss_terms = 0;  ///< of these steps
  std::int64_t optimizer_steps = 0;
  double loss = 0;  ///< mean of the last whole epoch
  std::optional<double> best_score;
  std::int64_t best_epoch = 0;
  std::int64_t without_gain = 0;  ///< validations since the best one
  double seconds = 0;             ///< of training
};

/// The buffers of one store, flat like its values. Ranks that have different rows have different ones.
struct CfStoreState {
  const ParameterStore* store = nullptr;
  at::Tensor values, exp_avg, exp_avg_sq;
  at::Tensor best;  ///< values at the best score; undefined before the first validation
};

/// All that a training needs to go on bit for bit: random draws are functions of (seed, epoch, step).
struct CfTrainState {
  CfTrainProgress progress;
  std::vector<CfStoreState> stores;
};

}  // namespace genrec
