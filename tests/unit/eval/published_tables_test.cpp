// Figures that the papers print of LETTER's released identifier tables, on the shared data.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "data/load_dataset.h"
#include "data/virtual_shards.h"
#include "eval/first_level.h"
#include "eval/metrics.h"
#include "eval/table_diagnostics.h"
#include "support.h"
#include "unit/eval/torch_archive.h"

namespace genrec {
namespace {

std::filesystem::path data_folder() {
  return test::shared_folder() / "data";
}

TEST(PublishedTables, InstrumentsOverlapsItsNeighboursAsLettersTable4Says) {
  const auto folder = data_folder() / "instruments";
  GENREC_NEEDS(folder / "Instruments-32d-sasrec.pt");
  constexpr std::int64_t kInstruments = 9922;
  DiagnosticInputs inputs;
  inputs.cf = make_embeddings(
      test::read_torch_floats(folder / "Instruments-32d-sasrec.pt", kInstruments * 32), 32, "SASRec", "");
  const IdentifierTable table = read_index_json(folder / "Instruments.index.json", kInstruments);
  const TableDiagnostics diagnostics = diagnose(table, inputs);
  EXPECT_EQ(diagnostics.neighbours->items, kInstruments);
  EXPECT_NEAR(diagnostics.neighbours->by_product.matches, 0.27595, 5e-6);  // 0.2760 in print
  EXPECT_NEAR(diagnostics.neighbours->by_product.share, 0.27595 / 4, 5e-6);
  EXPECT_NEAR(diagnostics.neighbours->by_cosine.matches, 0.32947, 5e-6);
  EXPECT_NEAR(diagnostics.overlap_of_any, 0.03114, 5e-6);
  EXPECT_EQ(diagnostics.first_level.used(), 150);  // Fig. 6
  EXPECT_EQ(diagnostics.first_level.items.size(), 256U);
}

TEST(PublishedTables, FirstLevelsUseAsManyCodesAsDocumented) {
  GENREC_NEEDS(data_folder() / "yelp" / "Yelp.index.json");
  const auto beauty = read_index_json(data_folder() / "beauty" / "Beauty.index.json", 12101);
  EXPECT_EQ(first_level(beauty, 256).used(), 197);
  const auto yelp = read_index_json(data_folder() / "yelp" / "Yelp.index.json", 20033);
  EXPECT_EQ(first_level(yelp, 256).used(), 256);
  for (const auto& table : {beauty, yelp}) {
    const IdentifierStatistics statistics = statistics_of(table);
    for (std::size_t p = 1; p < 4; ++p) EXPECT_EQ(statistics.positions[p].symbols, 256);
  }
}

struct Similarity {
  const char *folder, *name;
  std::int64_t items;
  double expected;  ///< by the shared MiniLM embeddings; SIIT prints 0.0261 for LETTER on Yelp
};

void PrintTo(const Similarity& table, std::ostream* out) {
  *out << table.name;
}

class PublishedSimilarity : public testing::TestWithParam<Similarity> {};

TEST_P(PublishedSimilarity, IsNearSiitsTable4) {
  const Similarity& expected = GetParam();
  const auto folder = data_folder() / expected.folder;
  const std::string name = expected.name;
  GENREC_NEEDS(folder / (name + ".embeddings.h5"));
  DiagnosticInputs inputs;
  inputs.text = read_embeddings(folder / (name + ".embeddings.h5"));
  const IdentifierTable table = read_index_json(folder / (name + ".index.json"), expected.items);
  EXPECT_NEAR(*diagnose(table, inputs).similarity, expected.expected, 5e-5);
}

INSTANTIATE_TEST_SUITE_P(Letter, PublishedSimilarity,
                         testing::Values(Similarity{"yelp", "Yelp", 20033, 0.02386},
                                         Similarity{"beauty", "Beauty", 12101, 0.04155}),
                         testing::PrintToStringParamName());

struct Targets {
  const char *folder, *name;
  double coverage;  ///< SIIT, Appendix C, "GT"
};

void PrintTo(const Targets& targets, std::ostream* out) {
  *out << targets.name;
}

class AcceptanceCheck8 : public testing::TestWithParam<Targets> {};

TEST_P(AcceptanceCheck8, TestTargetsCoverThePublishedShareOfItems) {
  const Targets& expected = GetParam();
  DataOptions options;
  options.dir = (data_folder() / expected.folder).string();
  options.name = expected.name;
  options.needs_text = false;
  GENREC_NEEDS(options.dir);
  DatasetRepairs repairs;
  const Dataset dataset = load_dataset(options, 42, 0, 1, repairs);
  Coverage coverage(dataset.items(), 1);
  for (const Sample sample : evaluation_samples(dataset.interactions, Split::kTest)) {
    coverage.add(dataset.interactions.row(sample.row)[static_cast<std::size_t>(sample.target)], 1);
  }
  EXPECT_NEAR(coverage.at(1), expected.coverage, 5e-5);
}

INSTANTIATE_TEST_SUITE_P(Siit, AcceptanceCheck8,
                         testing::Values(Targets{"instruments", "Instruments", 0.7131},
                                         Targets{"beauty", "Beauty", 0.6593},
                                         Targets{"yelp", "Yelp", 0.6452}),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace genrec
