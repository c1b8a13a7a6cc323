#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "tokenizers/identifier_similarity.h"
#include "tokenizers/text_features.h"

namespace genrec {
namespace {

constexpr std::int64_t kItems = 60, kDimensions = 7;

IdentifierTable random_table() {
  RandomStream stream(1, Purpose::kTest);
  std::vector<std::vector<std::string>> identifiers;
  for (std::int64_t i = 0; i < kItems; ++i) {
    auto& identifier = identifiers.emplace_back();
    const std::uint64_t length = 1 + stream.below(4);
    for (std::uint64_t p = 0; p < length; ++p) identifier.push_back(std::to_string(stream.below(4)));
  }
  return IdentifierTable::from_strings(identifiers);
}

/// The definition, pair by pair.
double by_pairs(const IdentifierTable& table, const std::vector<std::vector<double>>& rows) {
  double matches = 0, all = 0;
  for (ItemId i = 0; i < table.items(); ++i) {
    for (ItemId j = 0; j < table.items(); ++j) {
      if (i == j) continue;
      const auto &x = rows[static_cast<std::size_t>(i)], &y = rows[static_cast<std::size_t>(j)];
      double dot = 0, xx = 0, yy = 0;
      for (std::size_t d = 0; d < x.size(); ++d) {
        dot += x[d] * y[d];
        xx += x[d] * x[d];
        yy += y[d] * y[d];
      }
      const double cosine = xx > 0 && yy > 0 ? dot / std::sqrt(xx * yy) : 0;
      int overlap = 0;
      for (std::size_t p = 0; p < std::min(table.of(i).size(), table.of(j).size()); ++p) {
        overlap += table.of(i)[p] == table.of(j)[p];
      }
      all += cosine;
      matches += cosine * overlap;
    }
  }
  return matches / all;
}

TEST(IdentifierSimilarity, EqualsTheDefinitionOnDenseFeatures) {
  RandomStream stream(2, Purpose::kTest);
  std::vector<float> features;
  std::vector<std::vector<double>> rows;
  for (std::int64_t i = 0; i < kItems; ++i) {
    auto& row = rows.emplace_back();
    for (std::int64_t d = 0; d < kDimensions; ++d) {
      features.push_back(i == 5 ? 0.0F : static_cast<float>(stream.normal() + 0.3));
      row.push_back(features.back());
    }
  }
  const IdentifierTable table = random_table();
  EXPECT_NEAR(semantic_identifier_similarity(table, features, kDimensions), by_pairs(table, rows), 1e-10);
}

TEST(IdentifierSimilarity, EqualsTheDefinitionOnTitles) {
  RandomStream stream(3, Purpose::kTest);
  const std::vector<std::string> words = {"red", "green", "tea", "lamp", "old", "new", "for", "you"};
  std::vector<std::string> titles;
  for (std::int64_t i = 0; i < kItems; ++i) {
    auto& title = titles.emplace_back();
    for (std::uint64_t n = stream.below(5); n > 0; --n) title += words[stream.below(words.size())] + " ";
  }
  const SparseFeatures features = tfidf(titles);
  std::vector<std::vector<double>> rows;
  for (std::size_t i = 0; i < titles.size(); ++i) {
    auto& row = rows.emplace_back(static_cast<std::size_t>(features.dimensions), 0.0);
    for (auto e = static_cast<std::size_t>(features.offsets[i]);
         e < static_cast<std::size_t>(features.offsets[i + 1]); ++e) {
      row[static_cast<std::size_t>(features.columns[e])] = features.values[e];
    }
  }
  const IdentifierTable table = random_table();
  EXPECT_NEAR(semantic_identifier_similarity(table, features), by_pairs(table, rows), 1e-9);
}

TEST(IdentifierSimilarity, KnownValues) {
  const auto table = IdentifierTable::from_strings({{"a", "b"}, {"a", "b"}, {"c", "b"}});
  const std::vector<float> equal = {1, 2, 3};
  // Six ordered pairs, all of cosine 1: two share both symbols, four only the second.
  EXPECT_NEAR(semantic_identifier_similarity(table, equal, 1), (2 * 2 + 4 * 1) / 6.0, 1e-12);
  const std::vector<float> zero = {0, 0, 0};
  EXPECT_EQ(semantic_identifier_similarity(table, zero, 1), 0);
  EXPECT_THROW((void)semantic_identifier_similarity(table, equal, 3), DataError);
  EXPECT_THROW((void)semantic_identifier_similarity(table, equal, 2), DataError);
}

TEST(Tfidf, WeighsRareWordsMoreAndFoldsCase) {
  const SparseFeatures features = tfidf(std::vector<std::string>{"Red tea, red", "TEA", "", "thé"});
  EXPECT_EQ(features.rows(), 4);
  EXPECT_EQ(features.dimensions, 3);
  const double red = 2 * (std::log(5.0 / 2) + 1), tea = std::log(5.0 / 3) + 1;
  EXPECT_NEAR(features.values[0], red / std::hypot(red, tea), 1e-6);
  EXPECT_NEAR(features.values[1], tea / std::hypot(red, tea), 1e-6);
  EXPECT_NEAR(features.values[2], 1, 1e-6);
  EXPECT_EQ(features.columns[2], 1);
  EXPECT_EQ(features.offsets, (std::vector<std::int64_t>{0, 2, 3, 3, 4}));
}

}  // namespace
}  // namespace genrec
