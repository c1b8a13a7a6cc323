#include "app/options.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "support.h"

namespace genrec {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// What is said against these words of a command line; "" when nothing is.
std::string refusal(std::vector<std::string> words) {
  ProgramOptions options;
  OptionParser parser;
  add_options(parser, options);
  const std::string command = words.front();
  try {
    (void)parser.parse(words);
    complete_options(parser, options);
    check_options(parser, options, command);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Options, VectorsGoToBothEndingsOfHdf5) {
  const test::TemporaryFolder folder;
  const auto file = [&](const char* name) { return (folder.path() / name).string(); };
  for (const char* name : {"x.h5", "x.hdf5"}) {
    EXPECT_EQ(refusal({"embed", "--embed.output", file(name)}), "");
  }
  EXPECT_THAT(refusal({"embed", "--embed.output", file("x.csv")}),
              AllOf(HasSubstr("embed.output"), HasSubstr("FILE.h5, FILE.hdf5")));
  EXPECT_EQ(refusal({"recommend", "--recommend.output", file("x.csv")}), "");
  EXPECT_THAT(refusal({"recommend", "--recommend.output", file("x.hdf5")}),
              AllOf(HasSubstr("recommend.output"), HasSubstr("FILE.jsonl, FILE.csv, FILE.h5")));
}

TEST(Options, WhatSasRecCannotBeIsRefusedByItsKeys) {
  EXPECT_THAT(refusal({"embed", "--sasrec.heads", "3"}),
              AllOf(HasSubstr("sasrec.heads = 3"), HasSubstr("32 (embed.width)")));
  EXPECT_EQ(refusal({"embed", "--sasrec.heads", "3", "--embed.width", "12"}), "");
  EXPECT_EQ(refusal({"embed", "--sasrec.heads", "3", "--embed.model", "lightgcn"}), "");
  EXPECT_THAT(refusal({"embed", "--sasrec.layers", "0"}), HasSubstr("sasrec.layers"));
}

}  // namespace
}  // namespace genrec
