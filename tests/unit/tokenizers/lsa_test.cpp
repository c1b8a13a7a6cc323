#include "tokenizers/lsa.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "io/sha256.h"

namespace genrec {
namespace {

using testing::Each;
using testing::ElementsAreArray;

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

double dot(const SparseFeatures& features, std::size_t a, std::size_t b) {
  std::map<std::int32_t, double> row;
  const auto each = [&features](std::size_t r, auto use) {
    for (auto e = static_cast<std::size_t>(features.offsets[r]);
         e < static_cast<std::size_t>(features.offsets[r + 1]); ++e) {
      use(features.columns[e], static_cast<double>(features.values[e]));
    }
  };
  double sum = 0;
  each(a, [&row](std::int32_t column, double value) { row[column] = value; });
  each(b, [&](std::int32_t column, double value) { sum += row.contains(column) ? row[column] * value : 0; });
  return sum;
}

LsaOptions options_of(std::int32_t width) {
  LsaOptions options;
  options.svd.width = width;
  return options;
}

TEST(Lsa, KeepsAllCosinesWhereItKeepsAllDirections) {
  const std::vector<std::string> texts{"red nail polish", "nail file",  "Polish, red", "hair dryer",
                                       "hair brush red",  "wide brush", "file"};
  const Embeddings embeddings = lsa_embeddings(texts, "title", options_of(16));
  const SparseFeatures words = tfidf(texts);
  ASSERT_EQ(embeddings.rows, 7);
  ASSERT_EQ(embeddings.width, 16);
  for (std::size_t a = 0; a < texts.size(); ++a) {
    for (std::size_t b = 0; b < texts.size(); ++b) {
      EXPECT_NEAR(
          dot(embeddings.row(static_cast<std::int64_t>(a)), embeddings.row(static_cast<std::int64_t>(b))),
          dot(words, a, b), 1e-5)
          << a << " " << b;
    }
  }
}

TEST(Lsa, SeesTheSubjectOfTextsWithoutACommonWord) {
  // "gel" and "lacquer" are never together, but both are seen with "nail"; two subjects, two directions.
  const std::vector<std::string> texts{"nail gel", "nail lacquer", "nail gel", "nail lacquer",
                                       "gel",      "lacquer",      "hair wax", "hair spray",
                                       "hair wax", "hair spray",   "wax",      "spray"};
  const Embeddings embeddings = lsa_embeddings(texts, "title", options_of(2));
  EXPECT_NEAR(dot(embeddings.row(4), embeddings.row(5)), 1, 1e-3);
  EXPECT_NEAR(dot(embeddings.row(4), embeddings.row(11)), 0, 1e-3);
  const SparseFeatures words = tfidf(texts);
  EXPECT_EQ(dot(words, 4, 5), 0);
}

TEST(Lsa, RowsAreOfLengthOneAndEqualTextsHaveEqualRows) {
  const std::vector<std::string> texts{"red polish", "blue polish", "", "!?", "red polish", "red file"};
  const Embeddings embeddings = lsa_embeddings(texts, "title+description", options_of(3));
  for (const std::int64_t r : {0, 1, 4, 5})
    EXPECT_NEAR(dot(embeddings.row(r), embeddings.row(r)), 1, 1e-6) << r;
  EXPECT_THAT(embeddings.row(2), Each(0.0F));
  EXPECT_THAT(embeddings.row(4), ElementsAreArray(embeddings.row(0)));
  const EmbeddingCounts counts = examine(embeddings);
  EXPECT_EQ(counts.non_finite_values, 0);
  EXPECT_EQ(counts.zero_rows, 2);
  EXPECT_EQ(counts.repeating_rows, 2);  // one of the red polishes and one of the texts without words
  EXPECT_EQ(embeddings.provenance,
            (EmbeddingProvenance{"lsa", "title+description", 6,
                                 sha256(std::as_bytes(std::span(embeddings.values)))}));
}

TEST(Lsa, UsesTheWordsOfTheMostTexts) {
  LsaOptions options = options_of(4);
  options.max_words = 2;  // "a" of three texts, "b" of two
  const Embeddings embeddings =
      lsa_embeddings(std::vector<std::string>{"c d", "b a", "a e", "a", "b"}, "title", options);
  EXPECT_THAT(embeddings.row(0), Each(0.0F));
  EXPECT_NEAR(dot(embeddings.row(2), embeddings.row(3)), 1, 1e-6);
  EXPECT_NEAR(dot(embeddings.row(3), embeddings.row(4)), 0, 1e-6);
  EXPECT_GT(dot(embeddings.row(1), embeddings.row(4)), 0.5);
}

TEST(Lsa, OfTextsWithoutAnyWordIsZero) {
  const Embeddings embeddings = lsa_embeddings(std::vector<std::string>{"", "-"}, "title", options_of(3));
  EXPECT_EQ(embeddings.rows, 2);
  EXPECT_THAT(embeddings.values, Each(0.0F));
}

}  // namespace
}  // namespace genrec
