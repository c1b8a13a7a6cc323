#include "tokenizers/vocabulary.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace genrec {
namespace {

TEST(Vocabulary, SortsSymbolsAsPlainStrings) {
  const Vocabulary vocabulary(100, {"<b_0>", "<a_2>", "<a_10>", "<a_2>"});
  EXPECT_EQ(vocabulary.symbols(), (std::vector<std::string>{"<a_10>", "<a_2>", "<b_0>"}));
  EXPECT_EQ(vocabulary.size(), 103);
  EXPECT_EQ(vocabulary.token("<a_2>"), 101);
  EXPECT_EQ(vocabulary.symbol(102), "<b_0>");
}

TEST(Vocabulary, GrowsAtTheEndOnly) {
  Vocabulary vocabulary(3, {"c", "d"});
  EXPECT_EQ(vocabulary.add(std::vector<std::string>{"a", "d", "b", "a"}), 2);
  EXPECT_EQ(vocabulary.token("d"), 4);
  EXPECT_EQ(vocabulary.token("a"), 5);
  EXPECT_EQ(vocabulary.token("b"), 6);
  const Vocabulary restored = Vocabulary::restore(3, vocabulary.symbols());
  EXPECT_EQ(restored.token("a"), 5);
  EXPECT_EQ(restored.size(), vocabulary.size());
}

TEST(Vocabulary, RefusesUnknownAndRepeated) {
  const Vocabulary vocabulary(3, {"c"});
  EXPECT_TRUE(vocabulary.has("c"));
  EXPECT_FALSE(vocabulary.has("x"));
  EXPECT_THROW((void)vocabulary.token("x"), DataError);
  EXPECT_THROW((void)vocabulary.symbol(2), Error);
  EXPECT_THROW((void)vocabulary.symbol(4), Error);
  EXPECT_THROW((void)Vocabulary::restore(3, {"a", "a"}), DataError);
}

TEST(Vocabulary, TextPiecesTakeNoRow) {
  Vocabulary vocabulary(100, {"<piece_40>", "<a_2>", "<piece_7>"});
  EXPECT_EQ(vocabulary.symbols(), (std::vector<std::string>{"<a_2>"}));
  EXPECT_EQ(vocabulary.size(), 101);
  EXPECT_EQ(vocabulary.token("<piece_40>"), 40);
  EXPECT_EQ(vocabulary.symbol(40), "<piece_40>");
  EXPECT_TRUE(vocabulary.has("<piece_99>"));
  EXPECT_FALSE(vocabulary.has("<piece_100>"));
  EXPECT_THROW((void)vocabulary.token("<piece_100>"), DataError);
  EXPECT_EQ(vocabulary.add(std::vector<std::string>{"<piece_8>", "<x_0>"}), 1);
  EXPECT_EQ(vocabulary.token("<x_0>"), 101);
  const Vocabulary restored = Vocabulary::restore(100, vocabulary.symbols());
  EXPECT_EQ(restored.token("<piece_8>"), 8);
}

TEST(Vocabulary, CodesOnlyHasNoText) {
  const Vocabulary vocabulary(kUnknownToken + 1, {"<a_2>"});
  EXPECT_FALSE(vocabulary.has("<piece_2>"));
  try {
    (void)vocabulary.token("<piece_40>");
    FAIL() << "a codes-only model took a text piece";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("text+codes"), std::string::npos);
  }
}

TEST(TokenizedItems, HoldTextAndSymbols) {
  const auto table = IdentifierTable::from_strings({{"<piece_9>", "<piece_4>", "<x_0>"}, {"<piece_4>"}});
  const TokenizedItems items(table, Vocabulary(50, table.symbols()));
  const auto first = items.of(0), second = items.of(1);
  EXPECT_EQ(std::vector<TokenId>(first.begin(), first.end()), (std::vector<TokenId>{9, 4, 50}));
  EXPECT_EQ(std::vector<TokenId>(second.begin(), second.end()), (std::vector<TokenId>{4}));
}

TEST(TokenizedItems, TranslateATable) {
  const auto table = IdentifierTable::from_strings({{"<a_10>", "<a_2>"}, {"<a_2>"}});
  const TokenizedItems items(table, Vocabulary(50, table.symbols()));
  EXPECT_EQ(items.items(), 2);
  EXPECT_EQ(items.max_length(), 2);
  const auto first = items.of(0), second = items.of(1);
  EXPECT_EQ(std::vector<TokenId>(first.begin(), first.end()), (std::vector<TokenId>{50, 51}));
  EXPECT_EQ(std::vector<TokenId>(second.begin(), second.end()), (std::vector<TokenId>{51}));
  EXPECT_THROW(TokenizedItems(table, Vocabulary(50, {"<a_2>"})), DataError);
}

}  // namespace
}  // namespace genrec
