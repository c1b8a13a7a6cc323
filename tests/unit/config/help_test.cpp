#include <gmock/gmock.h>

#include "base/error.h"
#include "fixture.h"

namespace genrec {
namespace {

using HelpTest = ParserTest;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(HelpTest, GroupsWithDefaultsAndUnits) {
  const std::string text = parser_.help_text();
  EXPECT_THAT(text, HasSubstr("Training [train]:"));
  EXPECT_THAT(text, HasSubstr("--train.lr NUMBER (=0.001)"));
  EXPECT_THAT(text, HasSubstr("learning rate [per step]"));
  EXPECT_THAT(text, HasSubstr("--train.schedule constant|linear|cosine (=cosine)"));
  EXPECT_THAT(text, HasSubstr("--eval.k INTEGER,... (=5,10)"));
  EXPECT_THAT(text, HasSubstr("--verify"));
  EXPECT_THAT(text, Not(HasSubstr("debugger")));
}

TEST_F(HelpTest, DefaultsAreThoseBeforeParsing) {
  parser_.parse({"--train.lr", "0.7"});
  EXPECT_THAT(parser_.help_text(), HasSubstr("(=0.001)"));
}

TEST_F(HelpTest, OnlySomeSections) {
  const std::string text = parser_.help_text({"eval"});
  EXPECT_THAT(text, HasSubstr("--eval.k"));
  EXPECT_THAT(text, Not(HasSubstr("--train.lr")));
}

TEST_F(HelpTest, DifferencesToAnEarlierRun) {
  parser_.parse({"--train.lr", "0.1", "--run.name", " odd # \"name\" "});
  const std::string then = parser_.resolved_ini();
  EXPECT_TRUE(parser_.differences(then).empty());
  parser_.parse({"--train.lr", "0.2", "--run.name="});
  const std::map<std::string, std::string> expected = {{"train.lr", "0.1"}, {"run.name", " odd # \"name\" "}};
  EXPECT_EQ(parser_.differences(then), expected);
  EXPECT_EQ(parser_.differences(then + "[later]\nkey = 3\n"), expected)
      << "a key that is unknown here counts not";
  std::string older = then;
  older.erase(older.find("lr = 0.1\n"), 9);
  EXPECT_EQ(parser_.differences(older).at("train.lr"), "0.001") << "unknown then: its default";
}

TEST_F(HelpTest, ReadsATextLikeAFile) {
  parser_.read_text("[train]\nlr = 0.25\n", "x.h5:/config");
  EXPECT_EQ(options_.lr, 0.25);
  EXPECT_EQ(parser_.origin("train.lr"), "x.h5:/config:2");
  EXPECT_THROW(parser_.read_text("[train]\nlrr = 1\n", "x"), UsageError);
}

TEST_F(HelpTest, ResolvedIniRepeatsTheRun) {
  parser_.parse({"--train.lr", "0.1", "--train.epochs", "7", "--train.schedule", "linear", "--eval.k", "1,20",
                 "--eval.baselines", "popularity,random", "--run.seed", "18446744073709551615",
                 "--run.dry-run", "--run.name", " odd # \"name\" ", "--run.dir", "runs/a;b"});
  EXPECT_NE(options_, SampleOptions());
  const std::string file = write("config.ini", parser_.resolved_ini());

  SampleOptions again;
  OptionParser other;
  bind(other, again);
  other.parse({"--config", file});
  EXPECT_EQ(again, options_);
  EXPECT_EQ(other.resolved_ini(), parser_.resolved_ini());
}

TEST_F(HelpTest, ResolvedIniCanEmptyADefault) {
  parser_.parse({"--run.name=", "--eval.baselines="});
  const std::string file = write("config.ini", parser_.resolved_ini());
  SampleOptions again;
  OptionParser other;
  bind(other, again);
  other.parse({"--config", file});
  EXPECT_EQ(again.name, "");
  EXPECT_TRUE(again.baselines.empty());
}

TEST_F(HelpTest, ResolvedIniHoldsNoOptionsOfOneCall) {
  parser_.parse({"--verify"});
  EXPECT_THAT(parser_.resolved_ini(), Not(HasSubstr("verify")));
  EXPECT_THAT(parser_.resolved_ini(), HasSubstr("[train]\nlr = 0.001\n"));
}

}  // namespace
}  // namespace genrec
