#include "data/readers/hdf5_dataset.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/virtual_shards.h"
#include "io/hdf5.h"

namespace genrec {
namespace {

constexpr std::int64_t kSchema = 1;
constexpr std::int64_t kItemsAtOnce = 1 << 20;  ///< items read at once
const std::string kOffsets = "/interactions/offsets", kItems = "/interactions/items",
                  kTitles = "/items/title", kDescriptions = "/items/description",
                  kFingerprint = "fingerprint";

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

/// The stored fingerprint names the content for whoever looks at the file; it has to be that of the content.
void check_fingerprint(const Hdf5Reader& file, const std::string& actual) {
  if (file.text_attribute("/", kFingerprint) == actual) return;
  throw InputOutputError(file.path().string() + ": attribute " + kFingerprint +
                         ": is not that of the content, which was changed or damaged since; make the file " +
                         "anew with convert");
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

/// Reads all items, in blocks, and hands them on. An item that is not in the catalogue is told at the end,
/// after the checksum: in a damaged file it is the damage that counts.
template <typename Sink>
void read_items(const Hdf5Reader& file, std::int64_t catalogue, Sink sink) {
  std::optional<ItemId> unknown;
  file.read_blocks<ItemId>(kItems, kItemsAtOnce, [&](std::int64_t begin, std::span<const ItemId> block) {
    const auto found =
        std::find_if(block.begin(), block.end(), [&](ItemId item) { return item < 0 || item >= catalogue; });
    if (found != block.end() && !unknown) unknown = *found;
    sink(begin, block);
  });
  if (unknown) {
    fail(file, kItems,
         "item " + std::to_string(*unknown) + " is not in the catalogue, which holds the items 0 to " +
             std::to_string(catalogue - 1));
  }
}

/// Takes the histories of some users out of blocks of all items.
class HistoryCollector {
 public:
  /// `users` ascend.
  HistoryCollector(const std::vector<std::int64_t>& offsets, std::vector<UserId> users) : offsets_(offsets) {
    mine_.users = std::move(users);
    mine_.offsets = {0};
    for (std::size_t row = 0; row < mine_.users.size(); ++row) {
      mine_.offsets.push_back(mine_.offsets.back() + end_of(row) - begin_of(row));
    }
    mine_.items.resize(static_cast<std::size_t>(mine_.offsets.back()));
  }

  /// Blocks come in order.
  void add(std::int64_t begin, std::span<const ItemId> block) {
    const std::int64_t end = begin + static_cast<std::int64_t>(block.size());
    for (; row_ < mine_.users.size() && begin_of(row_) < end; ++row_) {
      const std::int64_t from = std::max(begin, begin_of(row_)), to = std::min(end, end_of(row_));
      std::copy(block.begin() + (from - begin), block.begin() + (to - begin),
                mine_.items.begin() + mine_.offsets[row_] + (from - begin_of(row_)));
      if (end_of(row_) > end) return;  // goes on in the next block
    }
  }
  Interactions take() { return std::move(mine_); }

 private:
  [[nodiscard]] std::int64_t begin_of(std::size_t row) const {
    return offsets_[static_cast<std::size_t>(mine_.users[row])];
  }
  [[nodiscard]] std::int64_t end_of(std::size_t row) const {
    return offsets_[static_cast<std::size_t>(mine_.users[row]) + 1];
  }

  const std::vector<std::int64_t>& offsets_;
  Interactions mine_;
  std::size_t row_ = 0;  ///< the first whose history is not complete
};

}  // namespace

bool has_fingerprint(const std::filesystem::path& path) {
  return Hdf5Reader(path).has_attribute("/", kFingerprint);
}

bool holds_identifiers(const std::filesystem::path& path) {
  return Hdf5Reader(path).has(std::string(kIdentifierGroup) + "/identifiers");
}

WholeDataset read_hdf5_dataset(const std::filesystem::path& path, std::int64_t max_users) {
  const Hdf5Reader file(path);
  check_schema(file);
  WholeDataset whole;
  whole.name = file.text_attribute("/", "name");
  whole.catalogue = read_catalogue(file);
  whole.offsets = read_offsets(file);
  if (max_users > 0 && max_users < whole.users()) {
    // Users beyond keep their place with nothing in it, so that limit() can count them.
    const auto last = whole.offsets.begin() + max_users;
    std::fill(last + 1, whole.offsets.end(), *last);
  }
  const auto kept = whole.offsets.back();
  whole.items.reserve(static_cast<std::size_t>(kept));
  read_items(file, whole.catalogue.size(), [&](std::int64_t begin, std::span<const ItemId> block) {
    const auto count = std::clamp(kept - begin, std::int64_t{0}, static_cast<std::int64_t>(block.size()));
    whole.items.insert(whole.items.end(), block.begin(), block.begin() + count);
  });
  return whole;
}

Dataset read_hdf5_share(const std::filesystem::path& path, std::int32_t shards, std::uint64_t seed, int rank,
                        int ranks, DatasetRepairs& repairs) {
  const Hdf5Reader file(path);
  check_schema(file);
  Dataset dataset;
  dataset.name = file.text_attribute("/", "name");
  dataset.catalogue = read_catalogue(file);
  dataset.items_before_limit = dataset.items();
  const std::vector<std::int64_t> offsets = read_offsets(file);
  dataset.interaction_count = offsets.back();
  dataset.lengths.resize(offsets.size() - 1);
  for (std::size_t user = 0; user < dataset.lengths.size(); ++user) {
    dataset.lengths[user] = static_cast<std::int32_t>(offsets[user + 1] - offsets[user]);
  }
  HistoryCollector mine(offsets, VirtualShards(dataset.lengths, shards, seed).users_of_rank(rank, ranks));
  Fingerprint print(offsets);
  read_items(file, dataset.items(), [&](std::int64_t begin, std::span<const ItemId> block) {
    print.add_items(block);
    mine.add(begin, block);
  });
  dataset.interactions = mine.take();
  dataset.fingerprint = print.finish(dataset.catalogue);
  check_fingerprint(file, dataset.fingerprint);
  repairs.repeated_items = file.integer_attribute("/", "repeated_items");
  count_gaps(dataset.lengths, dataset.catalogue, repairs);
  return dataset;
}

void write_hdf5_dataset(const std::filesystem::path& path, const Dataset& dataset,
                        const std::function<void(Hdf5Writer&)>& more) {
  if (dataset.interactions.rows() != dataset.users()) {
    throw Error(ExitCode::kInternal, "write_hdf5_dataset needs the histories of all users");
  }
  Hdf5Writer file(path);
  file.attribute("/", "schema_version", kSchema);
  file.attribute("/", "name", dataset.name);
  file.attribute("/", kFingerprint, dataset.fingerprint);
  file.attribute("/", "repeated_items",
                 repeated_items(dataset.interactions.offsets, dataset.interactions.items, dataset.items()));
  file.write(kOffsets, dataset.interactions.offsets);
  file.write(kItems, dataset.interactions.items);
  file.write_strings(kTitles, dataset.catalogue.titles);
  file.write_strings(kDescriptions, dataset.catalogue.descriptions);
  if (more) more(file);
  file.commit();
}

}  // namespace genrec
