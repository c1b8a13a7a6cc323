#include "data/readers/letter_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "data/load_dataset.h"
#include "io/files.h"
#include "support.h"

namespace genrec {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kThreeItems =
    R"({"0": {"title": "A &amp; B"}, "2": {"title": "C"}, "1": {"title": ""}})";

class LetterJson : public testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) {
    std::ofstream(folder_.path() / file) << text;
  }
  Dataset load(const std::string& histories, const std::string& items) {
    write("X.inter.json", histories);
    write("X.item.json", items);
    return load_dataset(options(), 1, 0, 1, repairs_);
  }
  DataOptions options() {
    DataOptions options;
    options.dir = folder_.path();
    options.name = "X";
    return options;
  }
  /// The message of the DataError, which has to be one line.
  std::string failure(const std::string& histories, const std::string& items = kThreeItems) {
    try {
      (void)load(histories, items);
    } catch (const DataError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    return "no error";
  }
  test::TemporaryFolder folder_;
  DatasetRepairs repairs_;
};

std::vector<ItemId> row(const Dataset& dataset, std::int64_t user) {
  const auto items = dataset.interactions.row(user);
  return {items.begin(), items.end()};
}

TEST_F(LetterJson, PlacesRowsByIdWhateverTheirOrder) {
  const Dataset dataset = load(R"({"1": [2, 0, 1], "0": [1, 2, 0]})", kThreeItems);
  EXPECT_EQ(dataset.name, "X");
  EXPECT_EQ(row(dataset, 0), (std::vector<ItemId>{1, 2, 0}));
  EXPECT_EQ(row(dataset, 1), (std::vector<ItemId>{2, 0, 1}));
  EXPECT_EQ(dataset.catalogue.titles, (std::vector<std::string>{"A & B", "", "C"}));
  EXPECT_EQ(dataset.lengths, (std::vector<std::int32_t>{3, 3}));
  EXPECT_EQ(dataset.interaction_count, 6);
  EXPECT_EQ(repairs_.missing_titles, 1);
}

TEST_F(LetterJson, CountsWhatItNotices) {
  const Dataset dataset = load(R"({"0": [0, 1, 0, 2, 1], "1": [], "2": [1], "3": [2, 2, 1]})", kThreeItems);
  EXPECT_EQ(row(dataset, 0), (std::vector<ItemId>{0, 1, 0, 2, 1}));
  EXPECT_EQ(dataset.users(), 4);
  DatasetRepairs expected;
  expected.repeated_items = 3;
  expected.empty_users = 1;
  expected.short_users = 1;
  expected.missing_titles = 1;
  EXPECT_EQ(repairs_, expected);
  EXPECT_EQ(describe(repairs_).size(), 4u);
}

TEST_F(LetterJson, LimitsAreCounted) {
  write("X.inter.json", R"({"0": [0, 1, 2], "1": [2, 0, 1], "2": [0, 1, 2]})");
  write("X.item.json", kThreeItems);
  DataOptions limited = options();
  limited.max_users = 2;
  limited.max_items = 2;
  const Dataset dataset = load_dataset(limited, 1, 0, 1, repairs_);
  EXPECT_EQ(dataset.users(), 2);
  EXPECT_EQ(dataset.items(), 2);
  EXPECT_EQ(dataset.items_before_limit, 3);
  EXPECT_EQ(row(dataset, 1), (std::vector<ItemId>{0, 1}));
  EXPECT_EQ(repairs_.users_left_out, 1);
  EXPECT_EQ(repairs_.items_left_out, 1);
  EXPECT_EQ(repairs_.interactions_left_out, 2);
  EXPECT_EQ(repairs_.short_users, 2);
}

TEST_F(LetterJson, NamesFileAndLineOfWrongHistories) {
  EXPECT_THAT(failure("{\"0\": [0, 1, 2],\n \"1\": [0,\n 3]}"),
              AllOf(HasSubstr("X.inter.json: line 3"), HasSubstr("user 1, item 3"), HasSubstr("0 to 2")));
  EXPECT_THAT(failure("{\"0\": [0, 1, 2],\n \"2\": [0, 1, 2]}"),
              AllOf(HasSubstr("line 2"), HasSubstr("user ids have a gap: 1 is missing before 2")));
  EXPECT_THAT(failure("{\n\"0\": [0, -1, 2]}"), AllOf(HasSubstr("line 2"), HasSubstr("item -1")));
  EXPECT_THAT(failure("{\n\"0\": [0, 1.0]}"), HasSubstr("item 1.0: expected an item id"));
  EXPECT_THAT(failure("{\n\"0\": [0, \"1\"]}"), HasSubstr("item \"1\": expected an item id"));
  EXPECT_THAT(failure("{\n\"0\": [18446744073709551615]}"), HasSubstr("expected an item id from 0"));
  EXPECT_THAT(failure("{\n\"0\": 5}"), AllOf(HasSubstr("line 2"), HasSubstr("expected a list")));
  EXPECT_THAT(failure("{\n\"x\": [1]}"), HasSubstr("user id \"x\""));
  EXPECT_THAT(failure("{\n\"-1\": [1]}"), HasSubstr("user id \"-1\""));
  EXPECT_THAT(failure("{\n\"a\\nb\": [1]}"), HasSubstr("user id \"a\\nb\""));
  EXPECT_THAT(failure("{\n\"00\": [1]}"), HasSubstr("user id \"00\""));
  EXPECT_THAT(failure("{\n\"0\": [1],\n\"0\": [2]}"), AllOf(HasSubstr("line 3"), HasSubstr("twice")));
  EXPECT_THAT(failure("[[1]]"), HasSubstr("expected one object"));
  EXPECT_THAT(failure("{\"0\": [1],\n \"1\": [2"), AllOf(HasSubstr("line 2"), HasSubstr("no valid JSON")));
}

TEST_F(LetterJson, NamesFileAndLineOfAWrongCatalogue) {
  const std::string fine = R"({"0": [0, 1, 2]})";
  EXPECT_THAT(failure(fine, "{\"0\": {},\n\"1\": {},\n\"3\": {}}"),
              AllOf(HasSubstr("X.item.json: line 3"), HasSubstr("2 is missing before 3")));
  EXPECT_THAT(failure(fine, "{\"1\": {}, \"2\": {},\n\"3\": {}}"), HasSubstr("0 is missing before 1"));
  EXPECT_THAT(failure(fine, "{\"0\": {},\n\"1\": \"tea\",\n\"2\": {}}"),
              AllOf(HasSubstr("line 2"), HasSubstr("expected an object")));
  EXPECT_THAT(failure(fine, "{\"0\": {},\n\"1\": {\n\"title\": 7},\n\"2\": {}}"),
              AllOf(HasSubstr("line 3"), HasSubstr("expected a text")));
}

TEST_F(LetterJson, TakesListsOfTexts) {
  const Dataset dataset = load(R"({"0": [0]})", R"({"0": {"title": ["two", "parts"], "description": null}})");
  EXPECT_EQ(dataset.catalogue.titles[0], "two parts");
  EXPECT_EQ(dataset.catalogue.descriptions[0], "");
}

TEST_F(LetterJson, WhatIsWrittenReadsBackTheSame) {
  const Dataset original = load(R"({"1": [], "0": [2, 0, 2, 1]})", R"({
    "0": {"title": "A &amp; B, 5 < 6", "description": "say \\ &amp;lt;b&amp;gt; Caf&eacute;"},
    "1": {"title": "<<b>b>bold &amp;amp; more"},
    "2": {}})");
  EXPECT_EQ(original.catalogue.titles[1], "<b>bold &amp; more");
  const std::filesystem::path folder = folder_.path() / "new" / "folder";
  write_letter_json(folder, "Y", original);
  EXPECT_EQ(read_text_file(folder / "Y.inter.json"), "{\n\"0\": [2, 0, 2, 1],\n\"1\": []\n}\n");
  const std::string items = read_text_file(folder / "Y.item.json");
  EXPECT_EQ(std::count(items.begin(), items.end(), '\n'), 5);
  EXPECT_THAT(items, HasSubstr("\n\"2\": {\"title\": \"\", \"description\": \"\"}\n}\n"));

  DataOptions again;
  again.dir = folder;
  const Dataset read = load_dataset(again, 1, 0, 1, repairs_);
  EXPECT_EQ(read.name, "Y");
  EXPECT_EQ(read.catalogue.titles, original.catalogue.titles);
  EXPECT_EQ(read.catalogue.descriptions, original.catalogue.descriptions);
  EXPECT_EQ(read.fingerprint, original.fingerprint);
}

TEST_F(LetterJson, TextThatIsNotUtf8IsNotWritten) {
  Dataset dataset = load(R"({"0": [0, 1, 2]})", kThreeItems);
  dataset.catalogue.titles[1] = "\xff";
  EXPECT_THROW(write_letter_json(folder_.path() / "new", "Y", dataset), DataError);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "new"));
}

TEST_F(LetterJson, DoesWithoutItemFileOnlyWhenTold) {
  write("X.inter.json", R"({"0": [0, 4, 2]})");
  EXPECT_THROW((void)load_dataset(options(), 1, 0, 1, repairs_), MissingInput);
  DataOptions codes_only = options();
  codes_only.needs_text = false;
  const Dataset dataset = load_dataset(codes_only, 1, 0, 1, repairs_);
  EXPECT_EQ(dataset.items(), 5);
  EXPECT_TRUE(repairs_.no_item_file);
  EXPECT_EQ(repairs_.missing_titles, 0);
  EXPECT_THAT(describe(repairs_).front(), HasSubstr("no item.json"));
}

TEST_F(LetterJson, NamesThatAreTooLongAreErrorsOfTheUser) {
  const std::string too_long(300, 'x');
  DataOptions folder;
  folder.dir = too_long;
  EXPECT_THROW((void)load_dataset(folder, 1, 0, 1, repairs_), MissingInput);
  EXPECT_THROW((void)index_file(folder), MissingInput);
  DataOptions name = options();
  name.name = too_long;
  EXPECT_THROW((void)load_dataset(name, 1, 0, 1, repairs_), MissingInput);
  EXPECT_EQ(index_file(name), "");
  DataOptions file;
  file.file = too_long;
  EXPECT_THROW((void)load_dataset(file, 1, 0, 1, repairs_), Error);
  EXPECT_EQ(index_file(file), "");
}

TEST_F(LetterJson, MissingFoldersAndNames) {
  DataOptions none = options();
  none.dir += "/absent";
  EXPECT_THROW((void)load_dataset(none, 1, 0, 1, repairs_), MissingInput);
  DataOptions unnamed = options();
  unnamed.name.clear();
  EXPECT_THROW((void)load_dataset(unnamed, 1, 0, 1, repairs_), MissingInput);
  write("X.inter.json", R"({"0": [0, 1, 2]})");
  write("X.item.json", kThreeItems);
  EXPECT_EQ(load_dataset(unnamed, 1, 0, 1, repairs_).name, "X");
  EXPECT_EQ(index_file(unnamed), "");
  write("X.index.json", "{}");
  EXPECT_EQ(index_file(unnamed), folder_.path() / "X.index.json");
  write("Y.inter.json", "{}");
  EXPECT_THROW((void)load_dataset(unnamed, 1, 0, 1, repairs_), UsageError);
  DataOptions few_shards = options();
  few_shards.shards = 2;
  EXPECT_EQ(load_dataset(few_shards, 1, 2, 3, repairs_).interactions.rows(), 0) << "more ranks than shards";
}

}  // namespace
}  // namespace genrec
