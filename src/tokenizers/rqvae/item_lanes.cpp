#include "tokenizers/rqvae/item_lanes.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "base/random.h"

namespace genrec {

ItemLanes::ItemLanes(std::int64_t items, std::int64_t batch, std::uint64_t seed)
    : lanes_(std::max<std::int64_t>(1, std::min(items, batch))),
      seed_(seed),
      item_of_place_(static_cast<std::size_t>(items)) {
  std::iota(item_of_place_.begin(), item_of_place_.end(), ItemId{0});
  RandomStream(seed, Purpose::kShardDeal, {static_cast<std::uint64_t>(items)})
      .shuffle(std::span(item_of_place_));
}

Range ItemLanes::places_of_rank(int rank, int ranks) const {
  const Range mine = even_part(lanes_, rank, ranks);
  if (mine.size() == 0) return {};
  return {lane(mine.begin).begin, lane(mine.end - 1).end};
}

LaneEpoch ItemLanes::epoch(std::int64_t number, int rank, int ranks) const {
  std::vector<std::int64_t> shuffled(item_of_place_.size());
  std::iota(shuffled.begin(), shuffled.end(), std::int64_t{0});
  for (std::int64_t l = 0; l < lanes_; ++l) {
    const Range range = lane(l);
    RandomStream(seed_, Purpose::kEpochOrder,
                 {static_cast<std::uint64_t>(number), static_cast<std::uint64_t>(l)})
        .shuffle(std::span(shuffled).subspan(static_cast<std::size_t>(range.begin),
                                             static_cast<std::size_t>(range.size())));
  }
  const Range own_lanes = even_part(lanes_, rank, ranks);
  LaneEpoch result;
  result.places.reserve(shuffled.size());
  for (std::int64_t step = 0; step < steps(); ++step) {
    const auto begin = static_cast<std::int64_t>(result.places.size());
    LaneEpoch::Step entry{{begin, begin}, {begin, begin}};
    for (std::int64_t l = 0; l < lanes_; ++l) {
      if (l == own_lanes.begin) entry.mine.begin = static_cast<std::int64_t>(result.places.size());
      const Range range = lane(l);
      if (step < range.size())
        result.places.push_back(shuffled[static_cast<std::size_t>(range.begin + step)]);
      if (l + 1 == own_lanes.end) entry.mine.end = static_cast<std::int64_t>(result.places.size());
    }
    if (own_lanes.size() == 0) entry.mine = {begin, begin};
    entry.places.end = static_cast<std::int64_t>(result.places.size());
    result.steps.push_back(entry);
  }
  return result;
}

}  // namespace genrec
