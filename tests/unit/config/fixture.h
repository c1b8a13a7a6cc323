#pragma once
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "config/option_parser.h"
#include "support.h"

namespace genrec {

struct SampleOptions {
  double lr = 0.001;
  std::int64_t epochs = 20;
  std::string schedule = "cosine";
  std::vector<int> k = {5, 10};
  std::uint64_t seed = 42;
  bool dry_run = false;
  std::string name = "Beauty";
  std::filesystem::path dir;
  std::vector<std::string> baselines = {"popularity"};
  bool verify = false;
  int wait = -1;

  bool operator==(const SampleOptions&) const = default;
};

/// A parser with a few options of every type, and files to read.
class ParserTest : public ::testing::Test {
 protected:
  ParserTest() { bind(parser_, options_); }

  static void bind(OptionParser& parser, SampleOptions& options) {
    OptionSection train = parser.section("train", "Training");
    train.add("lr", &options.lr, "learning rate", "per step").above(0);
    train.add("epochs", &options.epochs, "passes over the data").at_least(0);
    train.add("schedule", &options.schedule, "course of the rate").allowed({"constant", "linear", "cosine"});
    OptionSection eval = parser.section("eval");
    eval.add("k", &options.k, "cut-offs").range(1, 100);
    eval.add("baselines", &options.baselines, "other rankers");
    OptionSection run = parser.section("run", "The run");
    run.add("seed", &options.seed, "seed");
    run.add("dry-run", &options.dry_run, "only check");
    run.add("name", &options.name, "name of the dataset");
    run.add("dir", &options.dir, "run folder");
    OptionSection call = parser.section("");
    call.add("verify", &options.verify, "test checksums");
    call.add("wait-for-debugger", &options.wait, "rank that waits").hidden();
  }

  std::string write(const std::string& name, const std::string& text) {
    const auto file = folder_.path() / name;
    std::ofstream(file) << text;
    return file.string();
  }
  std::string error_of(const std::vector<std::string>& arguments) {
    try {
      parser_.parse(arguments);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }

  test::TemporaryFolder folder_;
  SampleOptions options_;
  OptionParser parser_;
};

}  // namespace genrec
