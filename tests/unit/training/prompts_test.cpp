#include "training/prompts.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "io/files.h"
#include "support.h"

namespace genrec {
namespace {

std::int64_t occurrences(const std::string& text, const std::string& part) {
  std::int64_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TextTokenizer train_small_tokenizer() {
  // Often enough that no letter of them is too rare to become a piece.
  std::vector<std::string> lines;
  for (int i = 0; i < 20; ++i) {
    for (const std::string& line : prompt_texts(builtin_templates())) lines.push_back(line);
  }
  for (int i = 0; i < 50; ++i) lines.push_back("Rose hand cream number " + std::to_string(i) + ", \"soft\"");
  return TextTokenizer::train(lines, 200, 1);
}

TEST(Templates, FifteenDistinctOnesWithOneSlotEach) {
  const auto& templates = builtin_templates();
  EXPECT_EQ(templates.size(), 15U);
  EXPECT_EQ(std::set<std::string>(templates.begin(), templates.end()).size(), 15U);
  for (const std::string& prompt : templates) EXPECT_EQ(occurrences(prompt, "{H}"), 1) << prompt;
}

TEST(Templates, OptionChoosesThem) {
  EXPECT_EQ(read_templates(""), builtin_templates());
  EXPECT_TRUE(read_templates("none").empty());
  test::TemporaryFolder folder;
  const auto path = folder.path() / "mine.txt";
  write_file_atomically(path, "Seen: {H}\r\n\n  \nAfter {H} comes?\n");
  EXPECT_EQ(read_templates(path.string()), (std::vector<std::string>{"Seen: {H}", "After {H} comes?"}));
}

TEST(Templates, FaultsNameFileAndLine) {
  test::TemporaryFolder folder;
  const auto path = folder.path() / "bad.txt";
  const auto message = [&](const std::string& content) {
    write_file_atomically(path, content);
    try {
      (void)read_templates(path.string());
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_NE(message("Seen {H}\nno slot\n").find("bad.txt:2: "), std::string::npos);
  EXPECT_NE(message("{H} and {H}\n").find("bad.txt:1: "), std::string::npos);
  EXPECT_NE(message("\n").find("at least one template"), std::string::npos);
  EXPECT_THROW((void)read_templates((folder.path() / "absent.txt").string()), MissingInput);
}

TEST(Prompts, WithoutTemplatesThereIsOneEmptyFrame) {
  const Prompts prompts;
  ASSERT_EQ(prompts.recommendation().size(), 1U);
  EXPECT_TRUE(prompts.recommendation()[0].prefix.empty());
  EXPECT_TRUE(prompts.recommendation()[0].suffix.empty());
  EXPECT_TRUE(prompts.separator().empty());
}

TEST(Prompts, FramesReadLikeTheirTemplates) {
  const TextTokenizer text = train_small_tokenizer();
  const Prompts prompts(builtin_templates(), text);
  ASSERT_EQ(prompts.recommendation().size(), 15U);
  for (std::size_t i = 0; i < 15; ++i) {
    const std::string& whole = builtin_templates()[i];
    const std::size_t slot = whole.find("{H}");
    std::string before = whole.substr(0, slot);
    while (before.ends_with(' ')) before.pop_back();
    EXPECT_EQ(text.decode(prompts.recommendation()[i].prefix), before);
    std::string after = whole.substr(slot + 3);
    if (after.starts_with(' ')) after.erase(0, 1);
    EXPECT_EQ(text.decode(prompts.recommendation()[i].suffix), after);
  }
  EXPECT_EQ(text.decode(prompts.separator()), ",");
  EXPECT_EQ(text.decode(prompts.identifier_to_item().prefix), "Give the title of the item");
  EXPECT_EQ(text.decode(prompts.item_to_identifier().suffix), "\".");
}

TEST(Prompts, NoBlankBetweenAnIdentifierAndThePunctuationAfterIt) {
  const TextTokenizer text = train_small_tokenizer();
  const Prompts prompts(builtin_templates(), text);
  const std::string blank = "\xe2\x96\x81";
  EXPECT_NE(text.piece(prompts.separator().front()), blank);
  // "History: {H}. Recommend one item."
  EXPECT_NE(text.piece(prompts.recommendation()[3].suffix.front()), blank);
}

TEST(TitlePieces, KeepsTheFirstPiecesOfEachTitle) {
  const TextTokenizer text = train_small_tokenizer();
  const std::string cream = "Rose hand cream";
  const std::string lengthy = "Rose hand cream number 1, Rose hand cream number 2";
  const TitlePieces titles({cream, "", lengthy}, text, 8);
  ASSERT_EQ(titles.items(), 3);
  const auto all = text.encode(lengthy);
  ASSERT_GT(all.size(), 8U);
  const auto kept = titles.of(2);
  EXPECT_EQ(std::vector<TokenId>(kept.begin(), kept.end()),
            std::vector<TokenId>(all.begin(), all.begin() + 8));
  EXPECT_TRUE(titles.of(1).empty());
  const TitlePieces generous({cream}, text, 64);
  const auto uncut = generous.of(0);
  EXPECT_EQ(std::vector<TokenId>(uncut.begin(), uncut.end()), text.encode(cream));
  EXPECT_EQ(titles.truncated(), uncut.size() > 8 ? 2 : 1);
}

}  // namespace
}  // namespace genrec
