#include "cf/sequential_data.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "cf/keyed_permutation.h"
#include "cf/negatives.h"
#include "cf/user_rows.h"

namespace genrec {
namespace {

/// Tells the draws of negatives from those of the order.
constexpr std::uint64_t kNegatives = 1;

void at_least_one(std::int64_t value, std::string name) {
  if (value < 1) throw UsageError(name + " = " + std::to_string(value) + ": expected at least 1");
}

}  // namespace

void SequenceBatch::append(UserId user, std::span<const ItemId> sequence) {
  users.push_back(user);
  items.insert(items.end(), sequence.begin(), sequence.end());
  offsets.push_back(static_cast<std::int64_t>(items.size()));
}

SequenceBatches::SequenceBatches(const Dataset& dataset, std::int64_t history, std::int64_t batch,
                                 std::uint64_t seed)
    : dataset_(dataset), history_(history), batch_(batch), seed_(seed) {
  at_least_one(history, "SASRec: history");
  at_least_one(batch, "SASRec: batch");
  for (std::size_t user = 0; user < dataset.lengths.size(); ++user) {
    if (training_samples(dataset.lengths[user]) > 0) users_.push_back(static_cast<UserId>(user));
  }
  if (users_.empty()) {
    throw DataError("SASRec: the dataset has no training sequence; it takes users with at least 4 items");
  }
}

std::int64_t SequenceBatches::steps_per_epoch() const {
  return (static_cast<std::int64_t>(users_.size()) + batch_ - 1) / batch_;
}

SequenceBatch SequenceBatches::batch(std::int64_t epoch, std::int64_t step, bool with_negatives) const {
  const Interactions& mine = dataset_.interactions;
  const auto users = static_cast<std::int64_t>(users_.size());
  const auto which = static_cast<std::uint64_t>(epoch);
  const KeyedPermutation order(users, stream_key(seed_, Purpose::kEpochOrder, {which}));
  SequenceBatch part;
  for (std::int64_t i = step * batch_; i < std::min(users, (step + 1) * batch_); ++i) {
    const UserId user = users_[static_cast<std::size_t>(order[i])];
    const std::int64_t row = row_of(mine, user);
    if (row < 0) continue;
    const auto train = training_part(mine, row);
    const auto used = train.last(std::min(train.size(), static_cast<std::size_t>(history_) + 1));
    part.append(user, used.first(used.size() - 1));
    part.targets.insert(part.targets.end(), used.begin() + 1, used.end());
    if (!with_negatives) continue;
    RandomStream stream(seed_, Purpose::kEpochOrder, {which, static_cast<std::uint64_t>(user), kNegatives});
    while (part.negatives.size() < part.targets.size()) {
      part.negatives.push_back(draw_negative(stream, dataset_.items(), train));
    }
  }
  return part;
}

}  // namespace genrec
