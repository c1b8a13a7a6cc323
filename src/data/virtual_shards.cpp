#include "data/virtual_shards.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <string>
#include <tuple>

#include "base/error.h"
#include "base/random.h"

namespace genrec {

VirtualShards::VirtualShards(std::span<const std::int32_t> lengths, std::int32_t shards, std::uint64_t seed) {
  if (shards < 1) throw UsageError("data.shards = " + std::to_string(shards) + ": expected at least 1");
  shard_of_.resize(lengths.size());
  samples_.resize(static_cast<std::size_t>(shards), 0);

  // Longest first to the shard that has least so far: the sums end within one history of each other, and
  // for lack of longer ones the many users with a single sample level them. Equal lengths go in random order.
  std::vector<UserId> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::uint64_t> draw(lengths.size());
  for (std::size_t user = 0; user < draw.size(); ++user)
    draw[user] = stream_key(seed, Purpose::kShardDeal, {user});
  const auto key = [&](UserId user) {
    const auto u = static_cast<std::size_t>(user);
    return std::tuple(-training_samples(lengths[u]), draw[u], user);
  };
  std::sort(order.begin(), order.end(), [&key](UserId a, UserId b) { return key(a) < key(b); });

  using Load = std::tuple<std::int64_t, std::int64_t, std::int32_t>;  // samples, users, shard
  std::priority_queue<Load, std::vector<Load>, std::greater<>> loads;
  for (std::int32_t shard = 0; shard < shards; ++shard) loads.emplace(0, 0, shard);
  bool counts_users = false;
  for (const UserId user : order) {
    const auto u = static_cast<std::size_t>(user);
    const std::int64_t samples = training_samples(lengths[u]);
    if (samples == 0 && !counts_users) {
      // The rest adds no samples: level the users instead, who are evaluated.
      counts_users = true;
      decltype(loads) by_users;
      for (; !loads.empty(); loads.pop()) {
        const auto [unused, users, shard] = loads.top();
        by_users.emplace(0, users, shard);
      }
      loads = std::move(by_users);
    }
    const auto [load, users, shard] = loads.top();
    loads.pop();
    loads.emplace(load + samples, users + 1, shard);
    shard_of_[u] = shard;
    samples_[static_cast<std::size_t>(shard)] += samples;
  }
}

std::vector<UserId> VirtualShards::users_of_rank(int rank, int ranks) const {
  std::vector<UserId> users;
  for (std::size_t user = 0; user < shard_of_.size(); ++user) {
    if (shard_of_[user] % ranks == rank) users.push_back(static_cast<UserId>(user));
  }
  return users;
}

}  // namespace genrec
