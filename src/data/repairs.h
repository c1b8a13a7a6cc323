#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace genrec {

/// What a loader left out or noticed instead of failing. Equal on every rank.
struct DatasetRepairs {
  std::int64_t repeated_items = 0;  ///< later occurrences of an item in one history: kept (Yelp has them)
  std::int64_t empty_users = 0;     ///< no history: keep their number, take part in nothing
  std::int64_t short_users = 0;     ///< 1 or 2 items: likewise
  std::int64_t missing_titles = 0;  ///< items without a title, or with one that cleaning emptied: ""
  std::int64_t users_left_out = 0;  ///< by data.max-users
  std::int64_t items_left_out = 0;  ///< by data.max-items
  std::int64_t interactions_left_out = 0;  ///< by data.max-items
  bool no_item_file = false;               ///< titles are "", items are counted from the histories

  bool operator==(const DatasetRepairs&) const = default;
};

/// One sentence for each thing that happened, for the log.
[[nodiscard]] std::vector<std::string> describe(const DatasetRepairs& repairs);

}  // namespace genrec
