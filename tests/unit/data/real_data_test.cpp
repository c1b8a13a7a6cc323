#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "data/load_dataset.h"
#include "data/virtual_shards.h"
#include "support.h"

namespace genrec {
namespace {

/// Counts of SIIT's Table 1.
struct RealData {
  const char* folder;
  const char* name;
  bool has_text;
  std::int64_t users, items, interactions, training, repeats;
};

void PrintTo(const RealData& data, std::ostream* out) {
  *out << data.name;
}

class RealDatasets : public testing::TestWithParam<RealData> {};

TEST_P(RealDatasets, HaveThePublishedCounts) {
  const RealData& expected = GetParam();
  DataOptions options;
  options.dir = test::shared_folder() / "data" / expected.folder;
  options.name = expected.name;
  options.needs_text = expected.has_text;
  GENREC_NEEDS(options.dir);
  DatasetRepairs repairs;
  std::int64_t samples = 0, users = 0;
  for (int rank = 0; rank < 2; ++rank) {
    const Dataset dataset = load_dataset(options, 42, rank, 2, repairs);
    EXPECT_EQ(dataset.users(), expected.users);
    EXPECT_EQ(dataset.items(), expected.items);
    EXPECT_EQ(dataset.interaction_count, expected.interactions);
    EXPECT_EQ(repairs.no_item_file, !expected.has_text);
    EXPECT_EQ(repairs.repeated_items, expected.repeats);
    EXPECT_EQ(repairs.empty_users + repairs.short_users, 0);
    const VirtualShards shards(dataset.lengths, options.shards, 42);
    TrainingOrder order(shards, dataset.interactions, rank, 2, 256, 42);
    for (std::int64_t step = 0; step < order.steps_per_epoch(); ++step) {
      samples += static_cast<std::int64_t>(order.samples(0, step).size());
    }
    users += static_cast<std::int64_t>(evaluation_samples(dataset.interactions, Split::kTest).size());
  }
  EXPECT_EQ(samples, expected.training);
  EXPECT_EQ(users, expected.users);
}

INSTANTIATE_TEST_SUITE_P(Siit, RealDatasets,
                         testing::Values(RealData{"beauty", "Beauty", true, 22363, 12101, 198502, 131413, 0},
                                         RealData{"instruments", "Instruments", false, 24772, 9922, 206153,
                                                  131837, 0},
                                         RealData{"yelp", "Yelp", true, 30431, 20033, 316354, 225061, 11830}),
                         testing::PrintToStringParamName());

TEST(RealText, YelpKeepsItsDistinctTitles) {
  DataOptions options;
  options.dir = test::shared_folder() / "data" / "yelp";
  GENREC_NEEDS(options.dir);
  DatasetRepairs repairs;
  const Dataset dataset = load_dataset(options, 42, 0, 1, repairs);
  const std::set<std::string> titles(dataset.catalogue.titles.begin(), dataset.catalogue.titles.end());
  EXPECT_EQ(titles.size(), 15340u);
}

}  // namespace
}  // namespace genrec
