#include "eval/table_diagnostics.h"

#include <gmock/gmock.h>

#include <array>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "eval/code_number.h"
#include "eval/quantized_items.h"

namespace genrec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(CodeNumber, IsWhatCodeSymbolWrote) {
  EXPECT_EQ(code_number("<a_0>", 0), 0);
  EXPECT_EQ(code_number("<b_12>", 1), 12);
  EXPECT_EQ(code_number("<b_12>", 0), std::nullopt);
  for (const char* symbol : {"<b_012>", "<b_-1>", "<b_12", "b_12", "<b_>", "<CI7>", "<x_3>", "", "_",
                             "<b_99999999999999999999>"}) {
    EXPECT_EQ(code_number(symbol, 1), std::nullopt) << symbol;
  }
}

TEST(FirstLevel, CountsCodesWithThoseThatNobodyHas) {
  const auto table = IdentifierTable::from_strings(
      {{"<a_2>", "<b_0>"}, {"<a_0>", "<b_1>"}, {"<a_2>", "<b_2>"}, {"<a_2>", "<b_9>"}});
  const FirstLevel level = first_level(table, 5);
  EXPECT_TRUE(level.is_codebook);
  EXPECT_THAT(level.items, ElementsAre(1, 0, 3, 0, 0));
  EXPECT_THAT(level.sorted(), ElementsAre(3, 1, 0, 0, 0));
  EXPECT_EQ(level.used(), 2);
  EXPECT_THAT(first_level(table, 2).items, ElementsAre(1, 0, 3)) << "a code beyond the codebook counts, too";
}

TEST(FirstLevel, OfOtherSymbolsHasThoseInUse) {
  const auto table = IdentifierTable::from_strings({{"<CI3>", "<CI0>"}, {"<CI3>", "<CI1>"}, {"<CI12>"}});
  const FirstLevel level = first_level(table, 256);
  EXPECT_FALSE(level.is_codebook);
  EXPECT_THAT(level.items, ElementsAre(2, 1));
  // A number that is no place in a codebook takes no memory.
  EXPECT_FALSE(first_level(IdentifierTable::from_strings({{"<a_999999999999>"}}), 256).is_codebook);
}

TEST(Bars, AreMeansOfNeighbours) {
  const std::vector<std::int64_t> counts{8, 4, 2, 1, 0};
  EXPECT_EQ(bars(counts), "█▄▂▁·");
  EXPECT_EQ(bars(std::vector<std::int64_t>{8, 4, 0, 0}, 2), "█·");
  EXPECT_EQ(bars(std::vector<std::int64_t>{1000000, 1, 0}), "█▁·") << "a count of one is seen";
  EXPECT_EQ(bars({}), "");
}

TEST(CodebookProjection, FindsTheAxesOfAnEllipsoid) {
  // Around (1, 1, 1, 1): +-1 along dimension 0, +-3 along 1, +-2 along 2, nothing along 3.
  std::vector<float> vectors;
  for (const auto& [dimension, size] : {std::pair{0, 1.0F}, std::pair{1, 3.0F}, std::pair{2, 2.0F}}) {
    for (const float sign : {1.0F, -1.0F}) {
      std::array<float, 4> vector{1, 1, 1, 1};
      vector[static_cast<std::size_t>(dimension)] += sign * size;
      vectors.insert(vectors.end(), vector.begin(), vector.end());
    }
  }
  const CodebookProjection projection = project_codebook(vectors, 4);
  const std::vector<std::array<double, 3>> expected{{0, 0, 1},  {0, 0, -1}, {3, 0, 0},
                                                    {-3, 0, 0}, {0, 2, 0},  {0, -2, 0}};
  ASSERT_EQ(projection.points.size(), expected.size());
  for (std::size_t code = 0; code < expected.size(); ++code) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      EXPECT_NEAR(projection.points[code][axis], expected[code][axis], 1e-6) << code << ", axis " << axis;
    }
  }
  EXPECT_NEAR(projection.variance_share[0], 9.0 / 14, 1e-9);
  EXPECT_NEAR(projection.variance_share[1], 4.0 / 14, 1e-9);
  EXPECT_NEAR(projection.variance_share[2], 1.0 / 14, 1e-9);
}

TEST(CodebookProjection, OfFewDimensionsOrEqualCodes) {
  const CodebookProjection line = project_codebook(std::vector<float>{1, 2, 6}, 1);
  EXPECT_NEAR(line.points[2][0], 3, 1e-9);
  EXPECT_EQ(line.points[2][1], 0);
  EXPECT_NEAR(line.variance_share[0], 1, 1e-9);
  const CodebookProjection equal = project_codebook(std::vector<float>(8, 0.5F), 4);
  EXPECT_EQ(equal.variance_share[0], 0);
  EXPECT_THROW((void)project_codebook(std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}, 1),
               DataError);
}

/// Two levels of three codes of width 2.
HostArray codebooks() {
  const std::vector<float> values{1, 0, 2, 0, 3, 0, 0, 10, 0, 20, 0, 30};
  return HostArray::of<float>(std::span<const float>(values), {2, 3, 2});
}

TEST(QuantizedItems, AreSumsOfCodeVectors) {
  // A digit and an avoidance symbol add nothing.
  const auto table = IdentifierTable::from_strings(
      {{"<a_2>", "<b_0>", "<c_1>"}, {"<a_0>", "<b_2>"}, {"<a_1>", "<b_1>", "<x_0>"}});
  const at::Tensor vectors = quantized_items(table, codebooks());
  EXPECT_TRUE(at::equal(vectors, at::tensor({3.0F, 10.0F, 1.0F, 30.0F, 2.0F, 20.0F}).view({3, 2})));
}

TEST(QuantizedItems, OfOtherCodebooksAreAnErrorThatNamesTheItem) {
  const std::vector<std::vector<std::string>> strangers{
      {"<a_1>"}, {"<b_1>", "<a_1>"}, {"<a_1>", "<b_3>"}, {"<CI1>", "<CI2>"}};
  for (const auto& stranger : strangers) {
    const auto table = IdentifierTable::from_strings({{"<a_0>", "<b_0>"}, stranger});
    try {
      (void)quantized_items(table, codebooks());
      ADD_FAILURE() << stranger.front() << " was taken";
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("item 1: "));
      EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    }
  }
  EXPECT_THROW((void)quantized_items(IdentifierTable::from_strings({{"<a_0>"}}), HostArray()), DataError);
}

IdentifierTable small_table() {
  return IdentifierTable::from_strings(
      {{"<a_0>", "<b_0>"}, {"<a_0>", "<b_1>"}, {"<a_2>", "<b_1>"}, {"<a_2>", "<b_1>"}});
}

TEST(TableDiagnostics, WithoutInputsSayWhatTheTableSays) {
  const IdentifierTable table = small_table();
  DiagnosticInputs inputs;
  inputs.codes = 4;
  const TableDiagnostics diagnostics = diagnose(table, inputs);
  const Json json = to_json(diagnostics, table);
  EXPECT_EQ(json["collision_rate"], 0.25);
  EXPECT_EQ(json["identifiers_sha256"], table.sha256());
  EXPECT_EQ(json["positions"][0]["perplexity"], 2);
  EXPECT_EQ(json["first_level"]["sorted_items"], Json({2, 2, 0, 0}));
  EXPECT_EQ(json["first_level"]["items_by_code"], Json({2, 0, 2, 0}));
  EXPECT_NEAR(json["overlap_of_any_two"].get<double>(), (2 * (1 + 1) + 3 * 2) / 12.0, 1e-12);
  for (const char* key : {"code_overlap", "codebook"}) EXPECT_TRUE(json[key].is_null()) << key;
  EXPECT_TRUE(json["semantic_identifier_similarity"]["text_embeddings"].is_null());
  const std::string text = to_text(diagnostics, table);
  EXPECT_THAT(text, HasSubstr("distinct identifiers 3"));
  EXPECT_THAT(text, HasSubstr("2 of 4 codes in use"));
  EXPECT_THAT(text, HasSubstr("██··"));
  EXPECT_THAT(text, Not(HasSubstr("overlap")));
}

TEST(TableDiagnostics, WithInputsHoldThePapersFigures) {
  const IdentifierTable table = small_table();
  DiagnosticInputs inputs;
  // Items 0 and 1 are near each other, and so are 2 and 3.
  inputs.cf = make_embeddings({1, 0, 1, 0.1F, 0, 1, 0.1F, 1}, 2, "SASRec", "");
  inputs.text = make_embeddings({1, 0, 0, 1, 1, 0, 0, 1}, 2, "text", "title");
  inputs.texts = {"red shoe", "blue hat", "red shoe", "blue hat"};
  inputs.codebooks = codebooks();
  const TableDiagnostics diagnostics = diagnose(table, inputs);
  const Json json = to_json(diagnostics, table);
  EXPECT_EQ(json["code_overlap"]["items"], 4);
  EXPECT_EQ(json["code_overlap"]["cosine"]["matches"], (1 + 1 + 2 + 2) / 4.0);
  EXPECT_EQ(json["code_overlap"]["cosine"]["share"], (1 + 1 + 2 + 2) / 8.0);
  // Of the pairs with cosine 1, {0, 2} shares nothing and {1, 3} one symbol.
  EXPECT_NEAR(json["semantic_identifier_similarity"]["text_embeddings"].get<double>(), 0.5, 1e-9);
  EXPECT_NEAR(json["semantic_identifier_similarity"]["tfidf"].get<double>(), 0.5, 1e-6);
  EXPECT_EQ(json["first_level"]["codes"], 3) << "those of the codebook";
  ASSERT_EQ(json["codebook"]["points"].size(), 3U);
  EXPECT_EQ(json["codebook"]["points"][2]["items"], 2);
  EXPECT_NEAR(json["codebook"]["points"][2]["x"].get<double>(), 1, 1e-9);
  EXPECT_NEAR(json["codebook"]["variance_share"][0].get<double>(), 1, 1e-9);
  const std::string text = to_text(diagnostics, table);
  EXPECT_THAT(text, HasSubstr("1.5000 symbols (0.7500 of the identifier) by cosine"));
  EXPECT_THAT(text, HasSubstr("0.5000, by text embeddings"));
  EXPECT_THAT(text, HasSubstr("3 codes of width 2"));
}

}  // namespace
}  // namespace genrec
