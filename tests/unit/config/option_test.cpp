#include "config/option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"

namespace genrec {
namespace {

using ::testing::HasSubstr;

/// Sets a variable from text through an option; "" when it was taken, else the error.
template <typename T>
std::string set(T& value, const std::string& text) {
  Option option("s.key", &value, "what it is", "");
  try {
    option.set(text, "here");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

template <typename T>
void expect_read(const std::string& text, const T& expected) {
  T value{};
  EXPECT_EQ(set(value, text), "");
  EXPECT_EQ(value, expected) << text;
}

template <typename T>
void expect_refused(const std::string& text, T before, const std::string& reason) {
  T value = before;
  EXPECT_THAT(set(value, text), HasSubstr(reason)) << text;
  EXPECT_EQ(value, before) << "a refused value must change nothing";
}

TEST(Option, ReadsEachType) {
  expect_read<std::int32_t>("-7", -7);
  expect_read<std::int32_t>("+7", 7);
  expect_read<std::int64_t>("5000000000", 5000000000);
  expect_read<std::uint64_t>("18446744073709551615", std::numeric_limits<std::uint64_t>::max());
  expect_read<double>("1e-3", 0.001);
  expect_read<double>("-2", -2.0);
  for (const char* word : {"true", "yes", "on", "1"}) expect_read<bool>(word, true);
  bool flag = true;
  EXPECT_EQ(set(flag, "off"), "");
  EXPECT_FALSE(flag);
  expect_read<std::string>("a b", "a b");
  expect_read<std::filesystem::path>("a/b", "a/b");
  expect_read<std::vector<int>>("5, 10", {5, 10});
  expect_read<std::vector<std::string>>("a,b c", {"a", "b c"});
}

TEST(Option, EmptyListsAndTexts) {
  std::vector<int> list = {1};
  EXPECT_EQ(set(list, ""), "");
  EXPECT_TRUE(list.empty());
  std::string text = "x";
  EXPECT_EQ(set(text, ""), "");
  EXPECT_EQ(text, "");
}

TEST(Option, RefusesWhatIsNoValue) {
  expect_refused<std::int32_t>("3000000000", 1, "expected an integer");
  for (const char* text : {"", "1.5", "1x", " 1", "+-1", "1e3"})
    expect_refused<std::int64_t>(text, 1, "integer");
  expect_refused<std::uint64_t>("-1", 1, "expected an integer from 0");
  for (const char* text : {"", "x", "nan", "inf", "1e999"})
    expect_refused<double>(text, 1.0, "expected a number");
  expect_refused<bool>("maybe", true, "expected true or false");
  expect_refused<std::vector<int>>("5,,10", {1}, "a list with commas");
  expect_refused<std::vector<int>>("5,", {1}, "an integer");
  expect_refused<std::string>("two\nlines", "x", "one line");
}

TEST(Option, ErrorNamesKeyValueAndPlace) {
  int value = 0;
  EXPECT_EQ(set(value, "ten"), "s.key = 'ten' (here): expected an integer");
}

TEST(Option, Limits) {
  int value = 5;
  Option range("s.n", &value, "", "beams");
  range.range(1, 64);
  EXPECT_NO_THROW(range.set("1", ""));
  EXPECT_NO_THROW(range.set("64", ""));
  EXPECT_THROW(range.set("0", ""), UsageError);
  EXPECT_THROW(range.set("65", ""), UsageError);
  EXPECT_EQ(range.expected(), "an integer from 1 to 64 (beams)");

  double lr = 1;
  Option above("s.lr", &lr, "", "");
  above.above(0);
  EXPECT_THROW(above.set("0", ""), UsageError);
  EXPECT_NO_THROW(above.set("1e-9", ""));
  EXPECT_EQ(above.expected(), "a number above 0");

  std::vector<int> list;
  Option at_least("s.k", &list, "", "");
  at_least.at_least(1);
  EXPECT_NO_THROW(at_least.set("1,2", ""));
  EXPECT_THROW(at_least.set("1,0", ""), UsageError);
  EXPECT_EQ(list, (std::vector<int>{1, 2}));
}

TEST(Option, AllowedWords) {
  std::string word = "linear";
  Option option("train.schedule", &word, "", "");
  option.allowed({"constant", "linear", "cosine"});
  EXPECT_NO_THROW(option.set("cosine", ""));
  try {
    option.set("cosin", "run.ini:3");
    ADD_FAILURE() << "nothing was thrown";
  } catch (const UsageError& error) {
    EXPECT_STREQ(
        error.what(),
        "train.schedule = 'cosin' (run.ini:3): expected one of constant, linear, cosine; did you mean "
        "'cosine'?");
  }
  std::vector<std::string> words;
  Option list("eval.baselines", &words, "", "");
  list.allowed({"popularity", "random"});
  EXPECT_NO_THROW(list.set("random,popularity", ""));
  EXPECT_THROW(list.set("random,other", ""), UsageError);
}

TEST(Option, TextReadsBackToTheSameValue) {
  for (const double number : {0.1, 1e-5, 1.0 / 3.0, 2.5e300, 0.0, -17.0}) {
    double value = number;
    const Option option("s.x", &value, "", "");
    double again = 0;
    EXPECT_EQ(set(again, option.text()), "");
    EXPECT_EQ(again, number) << option.text();
  }
  std::vector<int> list = {5, 10};
  EXPECT_EQ(Option("s.k", &list, "", "").text(), "5,10");
  bool flag = true;
  EXPECT_EQ(Option("s.f", &flag, "", "").text(), "true");
}

}  // namespace
}  // namespace genrec
