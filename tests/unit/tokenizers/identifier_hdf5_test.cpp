#include "tokenizers/identifier_hdf5.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "comm/communicator.h"
#include "data/load_dataset.h"
#include "data/readers/hdf5_dataset.h"
#include "support.h"
#include "tokenizers/index_tokenizer.h"
#include "tokenizers/registry.h"

namespace genrec {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Strings = std::vector<std::string>;

/// An identifier of one to three symbols for each item.
IdentifierTable table_of(std::int64_t items) {
  std::vector<Strings> identifiers;
  for (std::int64_t i = 0; i < items; ++i) {
    identifiers.push_back({"<a_" + std::to_string(i % 20) + ">"});
    if (i % 3 > 0) identifiers.back().push_back("<b_" + std::to_string(i / 20) + ">");
    if (i % 3 > 1) identifiers.back().push_back("<c>");
  }
  return IdentifierTable::from_strings(identifiers);
}

class IdentifierHdf5 : public testing::Test {
 protected:
  /// The synthetic dataset with the identifiers of `table`.
  void write_dataset(const IdentifierTable& table) {
    write_hdf5_dataset(path_, load_dataset({}, 1, 0, 1, repairs_),
                       [&](Hdf5Writer& file) { write_identifiers(file, kIdentifierGroup, table); });
  }
  DataOptions options() const {
    DataOptions options;
    options.file = path_;
    return options;
  }
  void write_raw(const std::vector<std::int32_t>& codes, const std::vector<std::int32_t>& lengths,
                 const Strings& symbols) {
    Hdf5Writer file(path_);
    file.write("/items/identifiers", codes);
    file.write("/items/identifier_lengths", lengths);
    file.write_strings("/items/symbols", symbols);
    file.commit();
  }
  std::string failure() {
    try {
      (void)read_identifiers(Hdf5Reader(path_), "/items");
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "set.h5";
  DatasetRepairs repairs_;
  std::unique_ptr<Communicator> world_ = make_single_communicator();
};

TEST_F(IdentifierHdf5, RoundTripIsExact) {
  const IdentifierTable numbered({"unused", "z", "a"}, {0, 2, 3}, {2, 1, 1});
  for (const IdentifierTable& table : {numbered, table_of(50), IdentifierTable()}) {
    Hdf5Writer file(path_);
    write_identifiers(file, "/some/group", table);
    file.commit();
    const IdentifierTable read = read_identifiers(Hdf5Reader(path_), "/some/group");
    EXPECT_EQ(read.symbols(), table.symbols());
    EXPECT_EQ(read.offsets(), table.offsets());
    EXPECT_EQ(read.codes(), table.codes());
  }
}

TEST_F(IdentifierHdf5, TheTokenizerTakesThoseOfTheDataset) {
  const IdentifierTable table = table_of(400);
  write_dataset(table);
  write_index_json(folder_.path() / "set.index.json", table_of(3));  // the dataset's own ones come first
  EXPECT_EQ(index_file(options()), path_);
  for (const char* method : {"auto", "index"}) {
    TokenizerOptions tokenizer;
    tokenizer.method = method;
    tokenizer.index = index_file(options());
    const Dataset dataset = load_dataset(options(), 1, 0, 1, repairs_);
    const IdentifierTable made = make_item_tokenizer(tokenizer)->fit(dataset, *world_);
    EXPECT_EQ(made.sha256(), table.sha256());
    EXPECT_EQ(made.symbols(), table.symbols());
  }
}

TEST_F(IdentifierHdf5, WithoutThemTheFileBesideCounts) {
  write_hdf5_dataset(path_, load_dataset({}, 1, 0, 1, repairs_));
  EXPECT_EQ(index_file(options()), "");
  write_index_json(folder_.path() / "set.index.json", table_of(400));
  EXPECT_EQ(index_file(options()), folder_.path() / "set.index.json");
}

TEST_F(IdentifierHdf5, TheItemLimitLeavesSymbolsOut) {
  write_dataset(table_of(400));
  DataOptions limited = options();
  limited.max_items = 2;
  const Dataset dataset = load_dataset(limited, 1, 0, 1, repairs_);
  const IdentifierTable table = read_identifiers_for(dataset, path_);
  EXPECT_EQ(table.items(), 2);
  EXPECT_EQ(table.symbols(), (Strings{"<a_0>", "<a_1>", "<b_0>"}));
}

TEST_F(IdentifierHdf5, ThoseOfAnotherDatasetAreRefused) {
  write_dataset(table_of(399));
  const Dataset dataset = load_dataset(options(), 1, 0, 1, repairs_);
  try {
    (void)read_identifiers_for(dataset, path_);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr(path_.string()), HasSubstr("399"), HasSubstr("400")));
  }
}

TEST_F(IdentifierHdf5, WrongContentIsNamed) {
  write_raw({0, 1, 0}, {2, 1}, {"a", "b"});
  EXPECT_EQ(failure(), "no error");
  write_raw({0, 1, 0}, {2, 2}, {"a", "b"});
  EXPECT_THAT(failure(), AllOf(HasSubstr(path_.string()), HasSubstr("/items/identifier_lengths")));
  write_raw({0, 7, 0}, {2, 1}, {"a", "b"});
  EXPECT_THAT(failure(), AllOf(HasSubstr("/items/identifiers"), HasSubstr("code 7")));
  write_raw({0, 1, 0}, {3, 0}, {"a", "b"});
  EXPECT_THAT(failure(), HasSubstr("item 1 has an empty identifier"));
  write_raw({0, 1, 0}, {4, -1}, {"a", "b"});
  EXPECT_THAT(failure(), HasSubstr("/items/identifiers"));
  write_raw({0, 1, 0}, {2, 1}, {"a", "a"});
  EXPECT_THAT(failure(), HasSubstr("twice"));
  write_raw({0, 1, 0}, {2, 1}, {"a", "b\n"});
  EXPECT_THAT(failure(), HasSubstr("/items/symbols"));
}

}  // namespace
}  // namespace genrec
