#include "data/readers/hdf5_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "data/load_dataset.h"
#include "data/synthetic.h"
#include "data/virtual_shards.h"
#include "io/files.h"
#include "io/hdf5.h"
#include "support.h"

namespace genrec {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kDealSeed = 11;

class Hdf5Dataset : public testing::Test {
 protected:
  Dataset load(int rank, int ranks, std::int64_t max_users = 0, std::int64_t max_items = 0) {
    DataOptions options;
    options.file = file_;
    options.max_users = max_users;
    options.max_items = max_items;
    return load_dataset(options, kDealSeed, rank, ranks, repairs_);
  }
  std::string failure() {
    try {
      (void)load(0, 1);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }
  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "set.h5";
  DatasetRepairs repairs_;
};

TEST_F(Hdf5Dataset, EveryRankGetsItsUsersAndTheSameRest) {
  const Dataset original = load_dataset({}, kDealSeed, 0, 1, repairs_);
  write_hdf5_dataset(file_, original);
  for (const int ranks : {1, 2, 5}) {
    std::map<UserId, std::vector<ItemId>> rows;
    for (int rank = 0; rank < ranks; ++rank) {
      const Dataset mine = load(rank, ranks);
      EXPECT_EQ(mine.name, "synthetic");
      EXPECT_EQ(mine.fingerprint, original.fingerprint);
      EXPECT_EQ(mine.lengths, original.lengths);
      EXPECT_EQ(mine.interaction_count, original.interaction_count);
      EXPECT_EQ(mine.items_before_limit, original.items());
      EXPECT_EQ(mine.catalogue.titles, original.catalogue.titles);
      EXPECT_EQ(mine.catalogue.descriptions, original.catalogue.descriptions);
      EXPECT_EQ(mine.interactions.users,
                VirtualShards(mine.lengths, 64, kDealSeed).users_of_rank(rank, ranks));
      for (std::int64_t r = 0; r < mine.interactions.rows(); ++r) {
        const auto row = mine.interactions.row(r);
        rows[mine.interactions.users[static_cast<std::size_t>(r)]].assign(row.begin(), row.end());
      }
    }
    ASSERT_EQ(static_cast<std::int64_t>(rows.size()), original.users());
    for (std::int64_t user = 0; user < original.users(); ++user) {
      const auto row = original.interactions.row(user);
      EXPECT_EQ(rows[static_cast<UserId>(user)], std::vector<ItemId>(row.begin(), row.end()));
    }
  }
}

TEST_F(Hdf5Dataset, LimitsGiveTheFingerprintOfTheSameContent) {
  write_hdf5_dataset(file_, load_dataset({}, kDealSeed, 0, 1, repairs_));
  DataOptions synthetic;
  synthetic.max_users = 100;
  synthetic.max_items = 300;
  const Dataset expected = load_dataset(synthetic, kDealSeed, 0, 1, repairs_);
  const DatasetRepairs expected_repairs = repairs_;
  const Dataset limited = load(0, 1, 100, 300);
  EXPECT_EQ(limited.fingerprint, expected.fingerprint);
  EXPECT_EQ(limited.items_before_limit, 400);
  EXPECT_EQ(limited.users(), 100);
  EXPECT_EQ(repairs_, expected_repairs);
  EXPECT_EQ(repairs_.users_left_out, 1100);
  EXPECT_NE(load(0, 1).fingerprint, expected.fingerprint);
}

TEST_F(Hdf5Dataset, HistoriesMayBeLongerThanABlock) {
  WholeDataset whole;
  whole.name = "long";
  whole.catalogue.titles.assign(1000, "x");
  whole.catalogue.descriptions.assign(1000, "");
  for (const std::int64_t length : {700000, 0, 900000, 5, 1100000, 0}) {
    whole.offsets.push_back(whole.offsets.back() + length);
  }
  for (std::int64_t i = 0; i < whole.offsets.back(); ++i) {
    whole.items.push_back(static_cast<ItemId>((i * 7919) % 1000));
  }
  write_hdf5_dataset(file_, share_of_rank(whole, 64, kDealSeed, 0, 1));
  for (int rank = 0; rank < 3; ++rank) {
    const Interactions mine = load(rank, 3).interactions;
    const Interactions expected = share_of_rank(whole, 64, kDealSeed, rank, 3).interactions;
    EXPECT_EQ(mine.users, expected.users);
    EXPECT_EQ(mine.offsets, expected.offsets);
    EXPECT_TRUE(mine.items == expected.items);
  }
  EXPECT_TRUE(load(0, 1, 3).interactions.items ==
              std::vector<ItemId>(whole.items.begin(), whole.items.begin() + 1600000));
}

/// The first items of the dataset in the bytes of its file.
std::size_t place_of_items(const std::string& bytes, const Dataset& dataset) {
  const auto first = std::as_bytes(std::span(dataset.interactions.items)).first(8 * sizeof(ItemId));
  return bytes.find(std::string(reinterpret_cast<const char*>(first.data()), first.size()));
}

TEST_F(Hdf5Dataset, AFlippedBitInTheItemsIsFound) {
  const Dataset original = load_dataset({}, kDealSeed, 0, 1, repairs_);
  write_hdf5_dataset(file_, original);
  const std::string sound = read_text_file(file_);
  const std::size_t place = place_of_items(sound, original);
  ASSERT_NE(place, sound.npos);
  struct Flip {
    std::size_t byte;
    int bit;
  };
  // Another item of the catalogue; and one far beyond it.
  for (const Flip flip : {Flip{0, 1}, Flip{3, 0x40}}) {
    std::string bytes = sound;
    bytes[place + flip.byte] = static_cast<char>(bytes[place + flip.byte] ^ flip.bit);
    write_file_atomically(file_, bytes);
    for (const std::int64_t max_users : {0, 5}) {
      for (int rank = 0; rank < 2; ++rank) {
        try {
          (void)load(rank, 2, max_users);
          ADD_FAILURE() << "rank " << rank << " took a damaged file";
        } catch (const InputOutputError& error) {
          EXPECT_THAT(error.what(), HasSubstr("/interactions/items"));
          EXPECT_THAT(error.what(), HasSubstr(file_.string()));
        }
      }
    }
  }
}

TEST_F(Hdf5Dataset, AFingerprintOfOtherContentIsRefused) {
  Hdf5Writer file(file_);
  file.attribute("/", "schema_version", std::int64_t{1});
  file.attribute("/", "name", std::string("edited"));
  file.attribute("/", "fingerprint", std::string(64, 'f'));
  file.attribute("/", "repeated_items", std::int64_t{0});
  file.write("/interactions/offsets", std::vector<std::int64_t>{0, 4});
  file.write("/interactions/items", std::vector<std::int32_t>{1, 0, 2, 1});
  file.write_strings("/items/title", {"a", "b", "c"});
  file.commit();
  try {
    (void)load(0, 1);
    FAIL();
  } catch (const InputOutputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("fingerprint"));
    EXPECT_THAT(error.what(), HasSubstr(file_.string()));
  }
}

TEST_F(Hdf5Dataset, MoreMayBeInTheFile) {
  const Dataset original = load_dataset({}, kDealSeed, 0, 1, repairs_);
  write_hdf5_dataset(file_, original);
  EXPECT_FALSE(holds_identifiers(file_));
  write_hdf5_dataset(file_, original, [](Hdf5Writer& file) {
    file.write("/items/identifiers", std::vector<std::int32_t>{0});
  });
  EXPECT_TRUE(holds_identifiers(file_));
  EXPECT_EQ(load(0, 1).fingerprint, original.fingerprint);
}

TEST_F(Hdf5Dataset, ForeignFilesAreTaken) {
  Hdf5Writer file(file_);
  file.attribute("/", "schema_version", std::int64_t{1});
  file.attribute("/", "name", std::string("foreign"));
  file.write("/interactions/offsets", std::vector<std::int64_t>{0, 4, 4, 5});
  file.write("/interactions/items", std::vector<std::int32_t>{1, 0, 1, 2, 0});
  file.write_strings("/items/title", {"a", "", "c"});
  file.commit();
  for (int rank = 0; rank < 2; ++rank) {
    const Dataset dataset = load(rank, 2);
    EXPECT_EQ(dataset.lengths, (std::vector<std::int32_t>{4, 0, 1}));
    EXPECT_EQ(repairs_.repeated_items, 1);
    EXPECT_EQ(repairs_.empty_users, 1);
    EXPECT_EQ(repairs_.short_users, 1);
    EXPECT_EQ(repairs_.missing_titles, 1);
    EXPECT_EQ(dataset.catalogue.descriptions.size(), 3u);
  }
}

TEST_F(Hdf5Dataset, KeepsTheCountOfRepeats) {
  WholeDataset whole;
  whole.name = "repeats";
  whole.items = {0, 1, 0, 1, 1};
  whole.offsets = {0, 3, 5};
  whole.catalogue = {{"a", "b"}, {"", ""}};
  write_hdf5_dataset(file_, share_of_rank(whole, 64, kDealSeed, 0, 1));
  EXPECT_EQ(load(1, 2).name, "repeats");
  EXPECT_EQ(repairs_.repeated_items, 2);
  EXPECT_EQ(repairs_.short_users, 1);
}

TEST_F(Hdf5Dataset, WrongContentIsNamed) {
  const auto write = [this](std::vector<std::int64_t> offsets, std::vector<std::int32_t> items,
                            std::int64_t version, std::vector<std::string> descriptions) {
    Hdf5Writer file(file_);
    file.attribute("/", "schema_version", version);
    file.attribute("/", "name", std::string("wrong"));
    file.write("/interactions/offsets", offsets);
    file.write("/interactions/items", items);
    file.write_strings("/items/title", {"a", "b"});
    file.write_strings("/items/description", descriptions);
    file.commit();
  };
  const std::vector<std::string> two = {"", ""};
  write({0, 2}, {0, 1}, 1, two);
  EXPECT_EQ(failure(), "no error");
  write({0, 2}, {0, 2}, 1, two);
  EXPECT_THAT(failure(), HasSubstr("/interactions/items: item 2 is not in the catalogue"));
  write({0, 2}, {0, -1}, 1, two);
  EXPECT_THAT(failure(), HasSubstr("item -1"));
  write({0, 3}, {0, 1}, 1, two);
  EXPECT_THAT(failure(), HasSubstr("/interactions/offsets"));
  write({0, 2, 1, 2}, {0, 1}, 1, two);
  EXPECT_THAT(failure(), HasSubstr("/interactions/offsets"));
  write({0, 2}, {0, 1}, 9, two);
  EXPECT_THAT(failure(), HasSubstr("schema_version"));
  write({0, 2}, {0, 1}, 1, {""});
  EXPECT_THAT(failure(), HasSubstr("/items/description"));
}

TEST_F(Hdf5Dataset, MissingFileIsSaid) {
  EXPECT_THROW((void)load(0, 1), MissingInput);
}

}  // namespace
}  // namespace genrec
