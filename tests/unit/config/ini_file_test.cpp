#include "config/ini_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "support.h"

namespace genrec {
namespace {

using ::testing::EndsWith;

class IniFileTest : public ::testing::Test {
 protected:
  std::vector<IniEntry> read(const std::string& text) {
    std::ofstream(file_) << text;
    return read_ini(file_);
  }
  std::string error_of(const std::string& text) {
    try {
      read(text);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }
  std::string value_of(const std::string& line) {
    const auto entries = read("[s]\n" + line + "\n");
    EXPECT_EQ(entries.size(), 1U) << line;
    return entries.empty() ? "" : entries[0].value;
  }
  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "run.ini";
};

TEST_F(IniFileTest, SectionsKeysAndLines) {
  const auto entries = read("# note\n[train]\n\nlr = 0.1\r\n ; note\n  [ eval ] # note\nk=5,10\n");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].section, "train");
  EXPECT_EQ(entries[0].name, "lr");
  EXPECT_EQ(entries[0].value, "0.1");
  EXPECT_EQ(entries[0].line, 4);
  EXPECT_EQ(entries[1].section, "eval");
  EXPECT_EQ(entries[1].name, "k");
  EXPECT_EQ(entries[1].value, "5,10");
  EXPECT_EQ(entries[1].line, 7);
}

TEST_F(IniFileTest, Values) {
  EXPECT_EQ(value_of("x = 5 # five"), "5");
  EXPECT_EQ(value_of("x = a#b"), "a#b");
  EXPECT_EQ(value_of("x ="), "");
  EXPECT_EQ(value_of("x = # nothing"), "");
  EXPECT_EQ(value_of("x = a = b"), "a = b");
  EXPECT_EQ(value_of(R"(x = " a # b " # note)"), " a # b ");
  EXPECT_EQ(value_of(R"(x = "say \"hi\" \\")"), R"(say "hi" \)");
}

TEST_F(IniFileTest, WrittenValuesReadBack) {
  for (const std::string text : {"", "plain", " blanks ", "a # b", "#", ";x", "\"quoted\"", "back\\slash",
                                 "a\"b", "\\", "a;b # \"c\\\" ", "x=y", "[z]", "\t"}) {
    EXPECT_EQ(value_of("x = " + ini_value(text)), text) << ini_value(text);
  }
}

TEST_F(IniFileTest, ErrorsNameFileAndLine) {
  const std::string at = file_.string() + ":2: ";
  EXPECT_EQ(error_of("[s]\nnonsense\n"), at + "'nonsense': expected key = value or [section]");
  EXPECT_EQ(error_of("[s]\n = 5\n"), at + "'= 5': expected key = value or [section]");
  EXPECT_EQ(error_of("[s]\n[open\n"), at + "'[open': expected [section]");
  EXPECT_EQ(error_of("[s]\nx = \"open\n"), at + "\"open: the double quote does not end the value");
  EXPECT_EQ(error_of("[s]\nx = \"a\" b\n"), at + "\"a\" b: the double quote does not end the value");
  EXPECT_EQ(error_of("[s]\nx = 1\nx = 2\n"), file_.string() + ":3: x is already in line 2; keep one of them");
}

TEST_F(IniFileTest, MissingFile) {
  EXPECT_THROW(read_ini(folder_.path() / "none.ini"), MissingInput);
  EXPECT_THROW(read_ini(folder_.path()), MissingInput);
}

}  // namespace
}  // namespace genrec
