#include "data/readers/hdf5_dataset.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/virtual_shards.h"
#include "io/hdf5.h"

namespace genrec {
namespace {

constexpr std::int64_t kSchema = 1;
constexpr std::int64_t kBlock = 1 << 20;  ///< items read at once
const std::string kOffsets = "/interactions/offsets", kItems = "/interactions/items",
                  kTitles = "/items/title", kDescriptions = "/items/description";

[[noreturn]] void fail(const Hdf5Reader& file, const std::string& object, const std::string& what) {
  throw DataError(file.path().string() + ": " + object + ": " + what + "; make the file anew with convert");
}

void check_schema(const Hdf5Reader& file) {
  const bool known =
      file.has_attribute("/", "schema_version") && file.integer_attribute("/", "schema_version") == kSchema;
  if (!known || !file.has(kOffsets)) {
    throw DataError(file.path().string() + ": attribute schema_version: expected a dataset file of version " +
                    std::to_string(kSchema) + "; make one with convert");
  }
}

Catalogue read_catalogue(const Hdf5Reader& file) {
  Catalogue catalogue;
  catalogue.titles = file.read_strings(kTitles);
  catalogue.descriptions = file.has(kDescriptions) ? file.read_strings(kDescriptions)
                                                   : std::vector<std::string>(catalogue.titles.size());
  if (catalogue.descriptions.size() != catalogue.titles.size()) {
    fail(file, kDescriptions,
         "expected as many texts as " + kTitles + " has, " + std::to_string(catalogue.titles.size()));
  }
  return catalogue;
}

std::vector<std::int64_t> read_offsets(const Hdf5Reader& file) {
  std::vector<std::int64_t> offsets = file.read<std::int64_t>(kOffsets);
  const auto items = file.shape(kItems);
  if (offsets.empty() || offsets.front() != 0 || !std::is_sorted(offsets.begin(), offsets.end()) ||
      items.size() != 1 || offsets.back() != items[0]) {
    fail(file, kOffsets, "expected numbers that ascend from 0 to the number of " + kItems);
  }
  return offsets;
}

void check_items(const Hdf5Reader& file, std::span<const ItemId> items, std::int64_t catalogue) {
  for (const ItemId item : items) {
    if (item < 0 || item >= catalogue) {
      fail(file, kItems,
           "item " + std::to_string(item) + " is not in the catalogue, which holds the items 0 to " +
               std::to_string(catalogue - 1));
    }
  }
}

/// Histories of some users, ascending. Neighbouring users are read together: a block spans those whose
/// histories end within kBlock items of its begin (one history more than that is a block of its own).
Interactions read_rows_of(const Hdf5Reader& file, const std::vector<std::int64_t>& offsets,
                          std::vector<UserId> users) {
  Interactions mine;
  mine.offsets = {0};
  const auto begin_of = [&](std::size_t i) { return offsets[static_cast<std::size_t>(users[i])]; };
  const auto end_of = [&](std::size_t i) { return offsets[static_cast<std::size_t>(users[i]) + 1]; };
  for (std::size_t first = 0; first < users.size();) {
    std::size_t last = first + 1;
    while (last < users.size() && end_of(last) - begin_of(first) <= kBlock) ++last;
    const std::int64_t begin = begin_of(first);
    const auto block = file.read_rows<ItemId>(kItems, begin, end_of(last - 1));
    for (; first < last; ++first) {
      mine.items.insert(mine.items.end(), block.begin() + (begin_of(first) - begin),
                        block.begin() + (end_of(first) - begin));
      mine.offsets.push_back(static_cast<std::int64_t>(mine.items.size()));
    }
  }
  mine.users = std::move(users);
  return mine;
}

}  // namespace

bool has_fingerprint(const std::filesystem::path& path) {
  return Hdf5Reader(path).has_attribute("/", "fingerprint");
}

WholeDataset read_hdf5_dataset(const std::filesystem::path& path, std::int64_t max_users) {
  const Hdf5Reader file(path);
  check_schema(file);
  WholeDataset whole;
  whole.name = file.text_attribute("/", "name");
  whole.catalogue = read_catalogue(file);
  whole.offsets = read_offsets(file);
  if (max_users > 0 && max_users < whole.users()) {
    whole.items = file.read_rows<ItemId>(kItems, 0, whole.offsets[static_cast<std::size_t>(max_users)]);
    // Users beyond keep their place with nothing in it, so that limit() can count them.
    for (auto o = whole.offsets.begin() + max_users; o != whole.offsets.end(); ++o) {
      *o = static_cast<std::int64_t>(whole.items.size());
    }
  } else {
    whole.items = file.read<ItemId>(kItems);
  }
  check_items(file, whole.items, whole.catalogue.size());
  return whole;
}

Dataset read_hdf5_share(const std::filesystem::path& path, std::int32_t shards, std::uint64_t seed, int rank,
                        int ranks, DatasetRepairs& repairs) {
  const Hdf5Reader file(path);
  check_schema(file);
  Dataset dataset;
  dataset.name = file.text_attribute("/", "name");
  dataset.fingerprint = file.text_attribute("/", "fingerprint");
  dataset.catalogue = read_catalogue(file);
  dataset.items_before_limit = dataset.items();
  const std::vector<std::int64_t> offsets = read_offsets(file);
  dataset.interaction_count = offsets.back();
  dataset.lengths.resize(offsets.size() - 1);
  for (std::size_t user = 0; user < dataset.lengths.size(); ++user) {
    dataset.lengths[user] = static_cast<std::int32_t>(offsets[user + 1] - offsets[user]);
  }
  dataset.interactions =
      read_rows_of(file, offsets, VirtualShards(dataset.lengths, shards, seed).users_of_rank(rank, ranks));
  check_items(file, dataset.interactions.items, dataset.items());
  repairs.repeated_items = file.integer_attribute("/", "repeated_items");
  count_gaps(dataset.lengths, dataset.catalogue, repairs);
  return dataset;
}

void write_hdf5_dataset(const std::filesystem::path& path, const Dataset& dataset) {
  if (dataset.interactions.rows() != dataset.users()) {
    throw Error(ExitCode::kInternal, "write_hdf5_dataset needs the histories of all users");
  }
  Hdf5Writer file(path);
  file.attribute("/", "schema_version", kSchema);
  file.attribute("/", "name", dataset.name);
  file.attribute("/", "fingerprint", dataset.fingerprint);
  file.attribute("/", "repeated_items",
                 repeated_items(dataset.interactions.offsets, dataset.interactions.items, dataset.items()));
  file.write(kOffsets, dataset.interactions.offsets);
  file.write(kItems, dataset.interactions.items);
  file.write_strings(kTitles, dataset.catalogue.titles);
  file.write_strings(kDescriptions, dataset.catalogue.descriptions);
  file.commit();
}

}  // namespace genrec
