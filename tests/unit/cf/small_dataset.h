#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "data/dataset.h"

namespace genrec::test {

/// A dataset of these histories, as a rank sees it that holds the users u with u % parts == part; nobody when
/// part is negative.
inline Dataset dataset_of(const std::vector<std::vector<ItemId>>& histories, std::int64_t items,
                          std::int64_t part = 0, std::int64_t parts = 1) {
  Dataset dataset;
  dataset.name = "small";
  dataset.catalogue.titles.resize(static_cast<std::size_t>(items));
  dataset.catalogue.descriptions.resize(static_cast<std::size_t>(items));
  dataset.interactions.offsets.assign(1, 0);
  for (std::size_t user = 0; user < histories.size(); ++user) {
    const std::vector<ItemId>& history = histories[user];
    dataset.lengths.push_back(static_cast<std::int32_t>(history.size()));
    dataset.interaction_count += static_cast<std::int64_t>(history.size());
    if (static_cast<std::int64_t>(user) % parts != part) continue;
    Interactions& mine = dataset.interactions;
    mine.users.push_back(static_cast<UserId>(user));
    mine.items.insert(mine.items.end(), history.begin(), history.end());
    mine.offsets.push_back(static_cast<std::int64_t>(mine.items.size()));
  }
  return dataset;
}

/// Histories of 3 to `longest` different items.
inline std::vector<std::vector<ItemId>> random_histories(std::int64_t users, std::int64_t items,
                                                         std::int64_t longest, std::uint64_t seed) {
  std::vector<std::vector<ItemId>> histories;
  for (std::int64_t user = 0; user < users; ++user) {
    RandomStream random(seed, Purpose::kTest, {static_cast<std::uint64_t>(user)});
    std::vector<ItemId> all(static_cast<std::size_t>(items));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<ItemId>(i);
    random.shuffle(std::span(all));
    all.resize(3 + random.below(static_cast<std::uint64_t>(longest - 2)));
    histories.push_back(all);
  }
  return histories;
}

}  // namespace genrec::test
