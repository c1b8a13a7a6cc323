#pragma once
#include <cstdint>
#include <vector>

#include "base/shards.h"
#include "base/types.h"

namespace genrec {

/// The batches of one epoch, by places (ItemLanes).
struct LaneEpoch {
  struct Step {
    Range places;  ///< of LaneEpoch::places: the whole batch
    Range mine;    ///< those of them that the rank computes
    [[nodiscard]] std::int64_t batch() const { return places.size(); }
    [[nodiscard]] std::int64_t first_row() const { return mine.begin - places.begin; }
  };
  std::vector<std::int64_t> places;  ///< all items, batch by batch
  std::vector<Step> steps;
};

/// Shuffled batches of which a rank only ever meets its own items, so that it holds no other's embeddings,
/// and which are the same at any number of ranks. Items are dealt once, at random, to as many lanes as a
/// batch has rows; a batch takes the next item of each lane, and every epoch shuffles the lanes anew. A rank
/// owns consecutive lanes. Sizes of lanes differ by one at most: only the last batch of an epoch is smaller.
///
/// Unlike in a plain shuffle, the items of one lane are never in one batch: with 12,101 items and batches of
/// 1,024 an item misses the 11 or so others of its lane.
class ItemLanes {
 public:
  ItemLanes(std::int64_t items, std::int64_t batch, std::uint64_t seed);

  [[nodiscard]] std::int64_t items() const { return static_cast<std::int64_t>(item_of_place_.size()); }
  [[nodiscard]] std::int64_t lanes() const { return lanes_; }
  [[nodiscard]] std::int64_t steps() const { return (items() + lanes_ - 1) / lanes_; }
  /// Items lane by lane; an item's index here is its place.
  [[nodiscard]] const std::vector<ItemId>& item_of_place() const { return item_of_place_; }
  [[nodiscard]] Range lane(std::int64_t lane) const { return even_part(items(), lane, lanes_); }
  /// Places of a rank's items.
  [[nodiscard]] Range places_of_rank(int rank, int ranks) const;
  [[nodiscard]] LaneEpoch epoch(std::int64_t number, int rank, int ranks) const;

 private:
  std::int64_t lanes_;
  std::uint64_t seed_;
  std::vector<ItemId> item_of_place_;
};

}  // namespace genrec
