#include "tokenizers/lsa.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "tokenizers/text_features.h"

namespace genrec {
namespace {

/// A TF-IDF row has length 1; of a projection shorter than this only rounding errors would be scaled up.
constexpr double kShortest = 1e-6;

/// The `limit` columns of the most rows (of equally many the first), in their order.
SparseFeatures most_common_columns(SparseFeatures features, std::int32_t limit) {
  if (features.dimensions <= limit) return features;
  std::vector<std::int64_t> rows_with(static_cast<std::size_t>(features.dimensions), 0);
  for (const std::int32_t column : features.columns) ++rows_with[static_cast<std::size_t>(column)];
  std::vector<std::int32_t> order(rows_with.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&rows_with](std::int32_t a, std::int32_t b) {
    return rows_with[static_cast<std::size_t>(a)] > rows_with[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(limit));
  std::sort(order.begin(), order.end());
  std::vector<std::int32_t> number(rows_with.size(), -1);
  for (std::size_t i = 0; i < order.size(); ++i) {
    number[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
  }
  SparseFeatures kept;
  kept.dimensions = limit;
  kept.offsets.reserve(features.offsets.size());
  for (std::size_t row = 0; row + 1 < features.offsets.size(); ++row) {
    const auto end = static_cast<std::size_t>(features.offsets[row + 1]);
    for (auto e = static_cast<std::size_t>(features.offsets[row]); e < end; ++e) {
      const std::int32_t column = number[static_cast<std::size_t>(features.columns[e])];
      if (column < 0) continue;
      kept.columns.push_back(column);
      kept.values.push_back(features.values[e]);
    }
    kept.offsets.push_back(static_cast<std::int64_t>(kept.columns.size()));
  }
  return kept;
}

/// Scales a row to length 1, or to 0 where it is too short to say anything.
void normalise(std::span<float> row) {
  double squares = 0;
  for (const float value : row) squares += static_cast<double>(value) * value;
  const double length = std::sqrt(squares);
  const double factor = length > kShortest ? 1 / length : 0;
  for (float& value : row) value = static_cast<float>(value * factor);
}

}  // namespace

Embeddings lsa_embeddings(std::span<const std::string> texts, const std::string& text_template,
                          const LsaOptions& options, Progress* progress) {
  TruncatedSvd svd =
      truncated_svd(most_common_columns(tfidf(texts), options.max_words), options.svd, progress);
  const auto width = static_cast<std::size_t>(svd.width);
  for (std::size_t begin = 0; begin < svd.projections.size(); begin += width) {
    normalise(std::span(svd.projections).subspan(begin, width));
  }
  return make_embeddings(std::move(svd.projections), svd.width, kLsaSource, text_template);
}

}  // namespace genrec
