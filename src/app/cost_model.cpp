#include "app/cost_model.h"

#include <algorithm>
#include <cmath>

namespace genrec {
namespace {

/// An item with 20 candidates of 4 tokens, one after the other: 3.3 s for 10 million
/// (tests/bench/bench_assign.cpp).
constexpr double kAssignmentSeconds = 3.3e-7;
/// The share of a step's passes beside which gradients travel.
constexpr double kBackwardShare = 2.0 / 3.0;

StageCost training_cost(const StageWork& work, const GradientSize& gradients, const MachineRates& rates,
                        int ranks) {
  const double steps = std::ceil(work.units / work.batch);
  const double passes = std::ceil(work.batch / ranks) * work.flop_per_unit / rates.train_flop_per_s;
  const double sums = all_reduce_seconds(gradients.bytes, gradients.messages, rates, ranks);
  const double last = all_reduce_seconds(gradients.last_bytes, 1, rates, ranks);
  StageCost cost;
  cost.compute_s = steps * (passes + rates.optimizer_s);
  cost.communication_s = steps * std::max(last, sums - kBackwardShare * passes);
  return cost;
}

StageCost search_cost(const StageWork& work, const MachineRates& rates, int ranks) {
  const double blocks = std::ceil(work.units / work.block);
  const double own = std::min(work.units, std::ceil(blocks / ranks) * work.block);
  StageCost cost;
  cost.compute_s = own * work.flop_per_unit / rates.search_flop_per_s;
  if (ranks > 1) {
    cost.communication_s = work.units * work.bytes_per_unit * (ranks - 1) / ranks / rates.bytes_per_s;
  }
  return cost;
}

}  // namespace

double all_reduce_rounds(int ranks) {
  return 2 * std::ceil(std::log2(ranks));
}

double all_reduce_bytes(double bytes, int ranks) {
  return 2 * bytes * (ranks - 1) / ranks;
}

double all_reduce_seconds(double bytes, double messages, const MachineRates& rates, int ranks) {
  if (ranks == 1) return 0;
  return all_reduce_bytes(bytes, ranks) / rates.bytes_per_s +
         messages * all_reduce_rounds(ranks) * rates.latency_s;
}

StageCost cost_of(const StageWork& work, const GradientSize& gradients, const MachineRates& rates,
                  int ranks) {
  switch (work.kind) {
    case StageKind::kTraining:
      return training_cost(work, gradients, rates, ranks);
    case StageKind::kSearch:
      return search_cost(work, rates, ranks);
    case StageKind::kAssignment:
      break;
  }
  StageCost cost;
  cost.alone_s = work.units * kAssignmentSeconds;
  return cost;
}

}  // namespace genrec
