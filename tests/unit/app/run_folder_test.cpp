#include "app/run_folder.h"

#include <gmock/gmock.h>

#include "io/files.h"
#include "support.h"

namespace genrec {
namespace {

std::vector<double> values_in(const std::filesystem::path& file) {
  std::vector<double> values;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) values.push_back(Json::parse(line)["value"].get<double>());
  return values;
}

TEST(RunFolder, AResumedRunMeasuresNothingTwice) {
  const test::TemporaryFolder place;
  const auto folder = place.path() / "run";
  {
    RunFolder run(folder, true);
    run.create();
    run.measure({0, 50, 0, "tokenizer", "loss", 0.5});
    run.measure({0, 100, 0, "tokenizer", "loss", 0.75});
    run.measure({10, 1, 0, "warm-up", "loss", 3.5});
    run.measure({20, 2, 0, "warm-up", "loss", 2.5});
    run.measure({20, 2, 0, "valid", "ndcg@10", 0.25});
    run.measure({30, 3, 0, "warm-up", "loss", 1.5});
  }
  RunFolder again(folder, true);
  again.create();
  again.rewind_metrics(20, 50);
  again.measure({20, 2, 0, "valid", "ndcg@10", 0.25});
  again.measure({20, 2, 0, "valid", "ndcg@5", 0.125});
  again.measure({30, 3, 0, "warm-up", "loss", 1.25});
  EXPECT_THAT(values_in(folder / "metrics.jsonl"), ::testing::ElementsAre(0.5, 3.5, 2.5, 0.25, 0.125, 1.25));
}

}  // namespace
}  // namespace genrec
