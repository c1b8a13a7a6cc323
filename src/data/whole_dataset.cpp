#include "data/whole_dataset.h"

#include <algorithm>
#include <utility>

#include "data/virtual_shards.h"

namespace genrec {
namespace {

/// Drops items that are not below `end` from all histories; returns how many.
std::int64_t drop_items_from(WholeDataset& whole, std::int64_t end) {
  std::size_t kept = 0;
  std::int64_t read = 0;
  for (std::size_t user = 0; user + 1 < whole.offsets.size(); ++user) {
    for (; read < whole.offsets[user + 1]; ++read) {
      const ItemId item = whole.items[static_cast<std::size_t>(read)];
      if (item < end) whole.items[kept++] = item;
    }
    whole.offsets[user + 1] = static_cast<std::int64_t>(kept);
  }
  const auto dropped = static_cast<std::int64_t>(whole.items.size() - kept);
  whole.items.resize(kept);
  return dropped;
}

std::vector<std::int32_t> lengths_of(const WholeDataset& whole) {
  std::vector<std::int32_t> lengths(static_cast<std::size_t>(whole.users()));
  for (std::size_t user = 0; user < lengths.size(); ++user) {
    lengths[user] = static_cast<std::int32_t>(whole.offsets[user + 1] - whole.offsets[user]);
  }
  return lengths;
}

}  // namespace

void limit(WholeDataset& whole, std::int64_t max_users, std::int64_t max_items, DatasetRepairs& repairs) {
  if (max_users > 0 && max_users < whole.users()) {
    repairs.users_left_out += whole.users() - max_users;
    whole.offsets.resize(static_cast<std::size_t>(max_users) + 1);
    whole.items.resize(static_cast<std::size_t>(whole.offsets.back()));
  }
  if (max_items > 0 && max_items < whole.catalogue.size()) {
    repairs.items_left_out += whole.catalogue.size() - max_items;
    whole.catalogue.titles.resize(static_cast<std::size_t>(max_items));
    whole.catalogue.descriptions.resize(static_cast<std::size_t>(max_items));
    repairs.interactions_left_out += drop_items_from(whole, max_items);
  }
}

void count(const WholeDataset& whole, DatasetRepairs& repairs) {
  repairs.repeated_items += repeated_items(whole.offsets, whole.items, whole.catalogue.size());
  count_gaps(lengths_of(whole), whole.catalogue, repairs);
}

std::int64_t repeated_items(std::span<const std::int64_t> offsets, std::span<const ItemId> items,
                            std::int64_t catalogue) {
  std::vector<std::size_t> last_row(static_cast<std::size_t>(catalogue), 0);
  std::int64_t repeats = 0;
  std::int64_t read = 0;
  for (std::size_t row = 1; row < offsets.size(); ++row) {
    for (; read < offsets[row]; ++read) {
      const auto item = static_cast<std::size_t>(items[static_cast<std::size_t>(read)]);
      if (std::exchange(last_row[item], row) == row) ++repeats;
    }
  }
  return repeats;
}

void count_gaps(std::span<const std::int32_t> lengths, const Catalogue& catalogue, DatasetRepairs& repairs) {
  repairs.empty_users += std::count(lengths.begin(), lengths.end(), 0);
  repairs.short_users +=
      std::count_if(lengths.begin(), lengths.end(), [](std::int32_t n) { return n == 1 || n == 2; });
  if (!repairs.no_item_file) {
    repairs.missing_titles += std::count(catalogue.titles.begin(), catalogue.titles.end(), std::string());
  }
}

Fingerprint::Fingerprint(std::span<const std::int64_t> offsets) {
  add_count(offsets.size());
  hash_.update(std::as_bytes(offsets));
}

void Fingerprint::add_count(std::size_t count) {
  const auto value = static_cast<std::uint64_t>(count);
  hash_.update(std::as_bytes(std::span(&value, 1)));
}

std::string Fingerprint::finish(const Catalogue& catalogue) {
  for (const auto* texts : {&catalogue.titles, &catalogue.descriptions}) {
    add_count(texts->size());
    for (const std::string& text : *texts) {
      add_count(text.size());
      hash_.update(text);
    }
  }
  return hash_.finish();
}

std::string fingerprint(const WholeDataset& whole) {
  Fingerprint print(whole.offsets);
  print.add_items(whole.items);
  return print.finish(whole.catalogue);
}

Dataset share_of_rank(WholeDataset whole, std::int32_t shards, std::uint64_t seed, int rank, int ranks) {
  Dataset dataset;
  dataset.fingerprint = fingerprint(whole);
  dataset.lengths = lengths_of(whole);
  dataset.interaction_count = static_cast<std::int64_t>(whole.items.size());
  Interactions& mine = dataset.interactions;
  mine.users = VirtualShards(dataset.lengths, shards, seed).users_of_rank(rank, ranks);
  mine.offsets = {0};
  mine.offsets.reserve(mine.users.size() + 1);
  for (const UserId user : mine.users) {
    const auto row = whole.row(user);
    mine.items.insert(mine.items.end(), row.begin(), row.end());
    mine.offsets.push_back(static_cast<std::int64_t>(mine.items.size()));
  }
  dataset.name = std::move(whole.name);
  dataset.catalogue = std::move(whole.catalogue);
  return dataset;
}

std::vector<std::string> describe(const DatasetRepairs& repairs) {
  std::vector<std::string> lines;
  const auto say = [&lines](std::int64_t count, const std::string& rest) {
    if (count > 0) lines.push_back(std::to_string(count) + " " + rest);
  };
  if (repairs.no_item_file) {
    lines.push_back("no item.json: items are counted from the histories and have no titles");
  }
  say(repairs.users_left_out, "users left out (data.max-users)");
  say(repairs.items_left_out, "items left out (data.max-items)");
  say(repairs.interactions_left_out, "interactions left out with their items (data.max-items)");
  say(repairs.repeated_items, "interactions repeat an item of the same history; they are kept");
  say(repairs.empty_users, "users with an empty history take no part in training and evaluation");
  say(repairs.short_users, "users with 1 or 2 items take no part in training and evaluation");
  say(repairs.missing_titles, "items have no title");
  return lines;
}

}  // namespace genrec
