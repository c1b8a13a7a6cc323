#include "cf/interaction_data.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "cf/keyed_permutation.h"
#include "cf/negatives.h"
#include "cf/user_rows.h"

namespace genrec {
namespace {

/// Tells the draws of negatives from that of the order.
constexpr std::uint64_t kNegativeItems = 1;

}  // namespace

InteractionBatches::InteractionBatches(const Dataset& dataset, std::int64_t batch, std::uint64_t seed)
    : dataset_(dataset), batch_(batch), seed_(seed) {
  if (batch < 1) {
    std::string message("LightGCN: batch = ");
    throw UsageError(message + std::to_string(batch) + ": expected at least 1");
  }
  begins_.reserve(dataset.lengths.size() + 1);
  for (const std::int32_t length : dataset.lengths)
    begins_.push_back(begins_.back() + training_items(length));
  if (begins_.back() == 0) {
    throw DataError(
        "LightGCN: the dataset has no training interaction; it takes users with at least 3 items");
  }
}

std::int64_t InteractionBatches::steps_per_epoch() const {
  return (begins_.back() + batch_ - 1) / batch_;
}

InteractionBatch InteractionBatches::batch(std::int64_t epoch, std::int64_t step, bool with_negatives) const {
  const Interactions& mine = dataset_.interactions;
  const std::int64_t all = begins_.back();
  const auto which = static_cast<std::uint64_t>(epoch);
  const KeyedPermutation order(all, stream_key(seed_, Purpose::kEpochOrder, {which}));
  InteractionBatch part;
  for (std::int64_t i = step * batch_; i < std::min(all, (step + 1) * batch_); ++i) {
    const std::int64_t number = order[i];
    const auto user = std::upper_bound(begins_.begin(), begins_.end(), number) - begins_.begin() - 1;
    const std::int64_t row = row_of(mine, static_cast<UserId>(user));
    if (row < 0) continue;
    const auto train = training_part(mine, row);
    part.rows.push_back(row);
    part.positives.push_back(
        train[static_cast<std::size_t>(number - begins_[static_cast<std::size_t>(user)])]);
    if (!with_negatives) continue;
    RandomStream stream(seed_, Purpose::kEpochOrder,
                        {which, static_cast<std::uint64_t>(number), kNegativeItems});
    part.negatives.push_back(draw_negative(stream, dataset_.items(), train));
  }
  return part;
}

}  // namespace genrec
