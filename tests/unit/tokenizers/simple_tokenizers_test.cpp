#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "comm/communicator.h"
#include "data/whole_dataset.h"
#include "io/text_tokenizer.h"
#include "tokenizers/registry.h"
#include "tokenizers/simple/first_appearance.h"
#include "tokenizers/simple/iid_tokenizer.h"
#include "tokenizers/simple/random_tokenizer.h"
#include "tokenizers/simple/sid_tokenizer.h"
#include "tokenizers/simple/tid_tokenizer.h"
#include "tokenizers/vocabulary.h"

namespace genrec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Dataset dataset_of(const std::vector<std::vector<ItemId>>& histories, std::vector<std::string> titles) {
  WholeDataset whole;
  for (const auto& history : histories) {
    whole.items.insert(whole.items.end(), history.begin(), history.end());
    whole.offsets.push_back(static_cast<std::int64_t>(whole.items.size()));
  }
  whole.catalogue.descriptions.resize(titles.size());
  whole.catalogue.titles = std::move(titles);
  return share_of_rank(std::move(whole), 8, 1, 0, 1);
}

/// Items that nobody has.
Dataset items_called(std::vector<std::string> titles) {
  Dataset dataset;
  dataset.name = "titles";
  dataset.catalogue.descriptions.resize(titles.size());
  dataset.catalogue.titles = std::move(titles);
  dataset.interactions.offsets = {0};
  return dataset;
}

Dataset items_without_users(std::size_t items) {
  return items_called(std::vector<std::string>(items));
}

class SimpleTokenizers : public testing::Test {
 protected:
  /// Of titles with digits in them, as numbers are to be written.
  static const TextTokenizer& text() {
    static const TextTokenizer tokenizer = [] {
      std::vector<std::string> lines;
      for (int i = 0; i < 400; ++i)
        lines.emplace_back("red guitar string number ").append(std::to_string(1000 + i));
      for (int i = 0; i < 100; ++i) lines.emplace_back("blue hair brush item ").append(std::to_string(i));
      return TextTokenizer::train(lines, 150, 7);
    }();
    return tokenizer;
  }
  /// What the text model reads in an identifier.
  static std::string decoded(const IdentifierTable& table, ItemId item) {
    const TokenizedItems items(table, Vocabulary(text().size(), table.symbols()));
    const auto tokens = items.of(item);
    return text().decode({tokens.begin(), tokens.end()});
  }

  std::unique_ptr<Communicator> world_ = make_single_communicator();
};

TEST_F(SimpleTokenizers, RandomGivesEveryItemAnIdentifierOfItsOwn) {
  const Dataset dataset = items_without_users(5000);
  const IdentifierTable table = RandomTokenizer({.levels = 3, .codes = 32}).fit(dataset, *world_);
  EXPECT_EQ(table.items(), 5000);
  EXPECT_EQ(table.distinct(), 5000);
  EXPECT_EQ(table.max_length(), 3);
  EXPECT_EQ(table.symbols().size(), 96U);  // 5000 draws meet all codes of all levels
  EXPECT_EQ(RandomTokenizer({.levels = 3, .codes = 32}).fit(dataset, *world_).sha256(), table.sha256());
  EXPECT_NE(RandomTokenizer({.levels = 3, .codes = 32, .seed = 43}).fit(dataset, *world_).sha256(),
            table.sha256());
}

TEST_F(SimpleTokenizers, RandomHasNoCollisionWhileThereIsRoom) {
  // As many items as identifiers, and more than any integer could count.
  EXPECT_EQ(RandomTokenizer({.levels = 2, .codes = 20}).fit(items_without_users(400), *world_).distinct(),
            400);
  EXPECT_EQ(RandomTokenizer({.levels = 20, .codes = 256}).fit(items_without_users(50), *world_).distinct(),
            50);
}

TEST_F(SimpleTokenizers, RandomDrawsEveryLevelOfManyLevels) {
  const IdentifierTable table =
      RandomTokenizer({.levels = 20, .codes = 256}).fit(items_without_users(50), *world_);
  std::map<std::string, int> first, last;
  for (ItemId item = 0; item < 50; ++item) {
    ++first[table.strings_of(item).front()];
    ++last[table.strings_of(item).back()];
  }
  EXPECT_GT(first.size(), 30U);
  EXPECT_GT(last.size(), 30U);
}

TEST_F(SimpleTokenizers, RandomSharesEvenlyWhereThereIsNoRoom) {
  const Dataset dataset = items_without_users(42);
  const IdentifierTable table = RandomTokenizer({.levels = 2, .codes = 4}).fit(dataset, *world_);
  EXPECT_EQ(table.distinct(), 16);
  std::map<std::vector<std::string>, int> users;
  for (ItemId item = 0; item < 42; ++item) ++users[table.strings_of(item)];
  for (const auto& [identifier, count] : users) EXPECT_TRUE(count == 2 || count == 3) << count;
  const RandomOptions avoiding{.levels = 2, .codes = 4, .avoid_collisions = true};
  EXPECT_EQ(RandomTokenizer(avoiding).fit(dataset, *world_).distinct(), 42);
}

TEST_F(SimpleTokenizers, IidIsOneSymbolAnItem) {
  const IdentifierTable table = IidTokenizer().fit(items_without_users(3), *world_);
  EXPECT_EQ(table.max_length(), 1);
  EXPECT_THAT(table.symbols(), ElementsAre("<item_0>", "<item_1>", "<item_2>"));
  EXPECT_THAT(table.strings_of(2), ElementsAre("<item_2>"));
}

TEST_F(SimpleTokenizers, FirstAppearanceTakesTrainingPartsFirst) {
  // The last two items of each history are held out; 3 is so for the first user, but not for the second.
  const Dataset dataset =
      dataset_of({{2, 0, 1, 3, 4}, {3, 5, 6, 7}, {8, 9}, {}}, std::vector<std::string>(11));
  EXPECT_THAT(order_of_first_appearance(dataset, *world_), ElementsAre(2, 0, 1, 3, 5, 4, 6, 7, 8, 9, 10));
}

TEST_F(SimpleTokenizers, SidNumbersItemsInText) {
  const Dataset dataset = dataset_of({{2, 0, 1, 3, 4}, {3, 5, 6, 7}}, std::vector<std::string>(9));
  const IdentifierTable table = SidTokenizer(text()).fit(dataset, *world_);
  EXPECT_EQ(table.distinct(), 9);
  const std::vector<std::string> expected = {"1002", "1003", "1001", "1004", "1006",
                                             "1005", "1007", "1008", "1009"};
  for (ItemId item = 0; item < 9; ++item) {
    EXPECT_EQ(decoded(table, item), expected[static_cast<std::size_t>(item)]) << "item " << item;
  }
}

TEST_F(SimpleTokenizers, SidNeedsDigits) {
  std::vector<std::string> lines;
  for (const char* colour : {"red", "blue", "dark", "green"}) {
    for (const char* thing : {"guitar string", "hair brush", "face cream", "drum stick"}) {
      lines.push_back(std::string(colour) + " " + thing);
    }
  }
  const TextTokenizer wordy = TextTokenizer::train(lines, 60, 7);
  try {
    (void)SidTokenizer(wordy).fit(items_without_users(3), *world_);
    FAIL() << "numbers were written without digits";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("text.spiece"));
  }
}

TEST_F(SimpleTokenizers, TidIsTheTitle) {
  const Dataset dataset =
      items_called({"red guitar string", "blue hair brush", "red guitar string", "", "brush</s>string"});
  const IdentifierTable table = TidTokenizer(text(), {}).fit(dataset, *world_);
  EXPECT_EQ(decoded(table, 0), "red guitar string");
  EXPECT_EQ(decoded(table, 1), "blue hair brush");
  EXPECT_EQ(decoded(table, 3), "item 3");
  EXPECT_THAT(table.collisions(), ElementsAre(std::vector<ItemId>{0, 2}));
  // Nothing ends an identifier but its end.
  const TokenizedItems items(table, Vocabulary(text().size(), table.symbols()));
  EXPECT_GT(*std::min_element(items.tokens().begin(), items.tokens().end()), kEndToken);
}

TEST_F(SimpleTokenizers, TidMayTellEqualTitlesApart) {
  const Dataset dataset = items_called({"red guitar string", "blue hair brush", "red guitar string"});
  const IdentifierTable plain = TidTokenizer(text(), {}).fit(dataset, *world_);
  const IdentifierTable avoided = TidTokenizer(text(), {.avoid_collisions = true}).fit(dataset, *world_);
  EXPECT_EQ(plain.distinct(), 2);
  EXPECT_EQ(avoided.distinct(), 3);
  EXPECT_EQ(avoided.strings_of(0).back(), "<x_0>");
  EXPECT_EQ(avoided.strings_of(2).back(), "<x_1>");
  EXPECT_EQ(avoided.strings_of(1), plain.strings_of(1));
}

TEST_F(SimpleTokenizers, TidIsCutToSoManyPieces) {
  const Dataset dataset = items_called({"red guitar string", "red guitar brush"});
  const IdentifierTable whole = TidTokenizer(text(), {}).fit(dataset, *world_);
  const IdentifierTable cut = TidTokenizer(text(), {.max_pieces = 1}).fit(dataset, *world_);
  EXPECT_GT(whole.max_length(), 1);
  EXPECT_EQ(cut.max_length(), 1);
  EXPECT_EQ(cut.distinct(), 1);
}

TEST_F(SimpleTokenizers, TextTakesNoRowsOfTheModel) {
  const Dataset dataset = items_called({"red guitar string", "red guitar string"});
  const IdentifierTable plain = TidTokenizer(text(), {}).fit(dataset, *world_);
  EXPECT_EQ(Vocabulary(text().size(), plain.symbols()).size(), text().size());
  const IdentifierTable avoided = TidTokenizer(text(), {.avoid_collisions = true}).fit(dataset, *world_);
  EXPECT_EQ(Vocabulary(text().size(), avoided.symbols()).size(), text().size() + 2);
}

TEST_F(SimpleTokenizers, TheRegistryMakesEachByItsName) {
  const Dataset dataset =
      dataset_of({{0, 1, 2, 1}}, {"red guitar string", "blue hair brush", "red guitar string"});
  TokenizerOptions options;
  options.collision = "digit";
  options.rqvae.levels = 2;
  options.rqvae.codes = 2;
  TokenizerInputs inputs;
  inputs.text = &text();
  const std::map<std::string, std::string> first_symbol = {
      {"iid", "<item_"}, {"random", "<a_"}, {"sid", "<piece_"}, {"tid", "<piece_"}};
  for (const auto& [method, symbol] : first_symbol) {
    options.method = method;
    const IdentifierTable table = make_item_tokenizer(options, inputs)->fit(dataset, *world_);
    EXPECT_EQ(table.distinct(), 3) << method;
    EXPECT_THAT(table.strings_of(0).front(), testing::StartsWith(symbol)) << method;
  }
}

}  // namespace
}  // namespace genrec
