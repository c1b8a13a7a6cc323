#include "eval/user_sample.h"

#include <algorithm>

#include "base/random.h"
#include "data/virtual_shards.h"

namespace genrec {
namespace {

/// Leave-one-out needs a training, a validation and a test item.
constexpr std::int32_t kShortestHistory = 3;

}  // namespace

std::vector<Sample> sampled_users(const Dataset& dataset, Split split, std::int64_t users,
                                  std::uint64_t seed) {
  std::vector<Sample> samples = evaluation_samples(dataset.interactions, split);
  if (users <= 0) return samples;
  std::vector<std::uint64_t> draws;
  const auto draw = [&](UserId user) {
    return stream_key(seed, Purpose::kUserSample, {static_cast<std::uint64_t>(user)});
  };
  for (UserId user = 0; user < dataset.users(); ++user) {
    if (dataset.lengths[static_cast<std::size_t>(user)] >= kShortestHistory) draws.push_back(draw(user));
  }
  if (users >= static_cast<std::int64_t>(draws.size())) return samples;
  const auto last = draws.begin() + static_cast<std::ptrdiff_t>(users) - 1;
  std::nth_element(draws.begin(), last, draws.end());
  const std::uint64_t highest = *last;
  std::erase_if(samples, [&](Sample sample) {
    return draw(dataset.interactions.users[static_cast<std::size_t>(sample.row)]) > highest;
  });
  return samples;
}

}  // namespace genrec
