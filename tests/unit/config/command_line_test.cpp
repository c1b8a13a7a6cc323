#include <gmock/gmock.h>

#include <stdexcept>

#include "fixture.h"

namespace genrec {
namespace {

using CommandLineTest = ParserTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(CommandLineTest, DefaultsStayWithoutArguments) {
  const CommandLine line = parser_.parse({});
  EXPECT_EQ(line.command, "");
  EXPECT_TRUE(line.arguments.empty());
  EXPECT_EQ(options_, SampleOptions());
  EXPECT_FALSE(parser_.is_set("train.lr"));
  EXPECT_EQ(parser_.origin("train.lr"), "default");
}

TEST_F(CommandLineTest, BothForms) {
  const CommandLine line =
      parser_.parse({"train", "--train.lr", "0.5", "--eval.k=1,2", "--run.name", "-3", "--run.dir", "a b"});
  EXPECT_EQ(line.command, "train");
  EXPECT_EQ(options_.lr, 0.5);
  EXPECT_THAT(options_.k, ElementsAre(1, 2));
  EXPECT_EQ(options_.name, "-3");
  EXPECT_EQ(options_.dir, "a b");
  EXPECT_TRUE(parser_.is_set("train.lr"));
  EXPECT_EQ(parser_.origin("train.lr"), "command line");
  EXPECT_EQ(parser_.text("eval.k"), "1,2");
}

TEST_F(CommandLineTest, WordsAreCommandAndArguments) {
  const CommandLine line = parser_.parse({"inspect", "a.h5", "--verify", "b.h5"});
  EXPECT_EQ(line.command, "inspect");
  EXPECT_THAT(line.arguments, ElementsAre("a.h5", "b.h5"));
  EXPECT_TRUE(options_.verify);
}

TEST_F(CommandLineTest, Flags) {
  parser_.parse({"--run.dry-run", "siit"});
  EXPECT_TRUE(options_.dry_run);
  parser_.parse({"--run.dry-run", "false"});
  EXPECT_FALSE(options_.dry_run);
  parser_.parse({"--run.dry-run=on", "--run.dry-run", "--run.seed", "7"});
  EXPECT_TRUE(options_.dry_run);
  EXPECT_EQ(options_.seed, 7U);
  EXPECT_EQ(error_of({"--run.dry-run=perhaps"}),
            "run.dry-run = 'perhaps' (command line): expected true or false");
}

TEST_F(CommandLineTest, LastOneHolds) {
  parser_.parse({"--run.seed", "1", "--run.seed=2"});
  EXPECT_EQ(options_.seed, 2U);
}

TEST_F(CommandLineTest, EmptyValueAfterEquals) {
  parser_.parse({"--run.name="});
  EXPECT_EQ(options_.name, "");
}

TEST_F(CommandLineTest, Precedence) {
  const std::string first = write("first.ini", "[train]\nlr = 1\nepochs = 1\n[run]\nseed = 1\n");
  const std::string second = write("second.ini", "[train]\nlr = 2\nepochs = 2\n");
  // The command line wins wherever it stands.
  parser_.parse({"--train.lr", "3", "--config", first, "--config=" + second});
  EXPECT_EQ(options_.lr, 3);
  EXPECT_EQ(options_.epochs, 2);
  EXPECT_EQ(options_.seed, 1U);
  EXPECT_EQ(options_.schedule, "cosine");
  EXPECT_EQ(parser_.origin("train.lr"), "command line");
  EXPECT_EQ(parser_.origin("train.epochs"), second + ":3");
  EXPECT_EQ(parser_.origin("run.seed"), first + ":5");
  EXPECT_FALSE(parser_.is_set("train.schedule"));
}

TEST_F(CommandLineTest, UnknownOptionNamesTheNearest) {
  EXPECT_EQ(error_of({"--train.lrr", "3"}),
            "command line: unknown option --train.lrr; did you mean --train.lr?");
  EXPECT_EQ(error_of({"--train.epoch=3"}),
            "command line: unknown option --train.epoch=3; did you mean --train.epochs?");
  // The right name without, or in the wrong, section; prefixes are no abbreviations.
  EXPECT_THAT(error_of({"--schedule", "cosine"}), HasSubstr("did you mean --train.schedule?"));
  EXPECT_THAT(error_of({"--eval.seed", "1"}), HasSubstr("did you mean --run.seed?"));
  EXPECT_THAT(error_of({"--train.sched", "linear"}), HasSubstr("unknown option --train.sched"));
  EXPECT_EQ(error_of({"train", "-x"}),
            "command line: unknown option -x; options are written --section.key VALUE");
  EXPECT_THAT(error_of({"--confg", "x"}), HasSubstr("did you mean --config?"));
}

TEST_F(CommandLineTest, UnknownOptionInAFile) {
  const std::string file = write("run.ini", "[train]\nlr = 1\nepoch = 3\n");
  EXPECT_EQ(error_of({"--config", file}),
            file + ":3: unknown option train.epoch; did you mean train.epochs?");
  const std::string section = write("section.ini", "[trian]\nlr = 1\n");
  EXPECT_EQ(error_of({"--config", section}), section + ":2: unknown option trian.lr; did you mean train.lr?");
  const std::string bare = write("bare.ini", "lr = 1\n");
  EXPECT_EQ(error_of({"--config", bare}),
            bare + ":1: lr stands before the first [section]; did you mean train.lr?");
}

TEST_F(CommandLineTest, WrongValueInAFile) {
  const std::string file = write("run.ini", "[train]\n\nschedule = cosin\n");
  EXPECT_EQ(error_of({"--config", file}),
            "train.schedule = 'cosin' (" + file +
                ":3): expected one of constant, linear, cosine; did you mean 'cosine'?");
}

TEST_F(CommandLineTest, MissingValueAndFile) {
  EXPECT_THAT(error_of({"--train.lr"}), HasSubstr("train.lr"));
  EXPECT_THAT(error_of({"--train.lr", "--run.seed", "1"}), HasSubstr("train.lr"));
  EXPECT_THROW(parser_.parse({"--config", "no/such.ini"}), MissingInput);
}

TEST_F(CommandLineTest, MistakesOfTheProgram) {
  EXPECT_THROW(parser_.section("train").add("lr", &options_.lr, ""), std::logic_error);
  EXPECT_THROW((void)parser_.is_set("train.nothing"), std::logic_error);
}

}  // namespace
}  // namespace genrec
