#include "tokenizers/text_features.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace genrec {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool part =
        upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
    if (part && !inside) words.emplace_back();
    if (part) words.back() += upper ? static_cast<char>(c - 'A' + 'a') : c;
    inside = part;
  }
  return words;
}

}  // namespace

SparseFeatures tfidf(std::span<const std::string> texts) {
  SparseFeatures features;
  std::unordered_map<std::string, std::int32_t> numbers;
  std::vector<std::int64_t> texts_with;
  for (const std::string& text : texts) {
    std::vector<std::int32_t> row;
    for (const std::string& word : words_of(text)) {
      row.push_back(numbers.emplace(word, static_cast<std::int32_t>(numbers.size())).first->second);
    }
    std::sort(row.begin(), row.end());
    texts_with.resize(numbers.size(), 0);
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == 0 || row[i] != row[i - 1]) {
        features.columns.push_back(row[i]);
        features.values.push_back(0);
        ++texts_with[static_cast<std::size_t>(row[i])];
      }
      features.values.back() += 1;
    }
    features.offsets.push_back(static_cast<std::int64_t>(features.columns.size()));
  }
  features.dimensions = static_cast<std::int32_t>(numbers.size());
  for (std::size_t row = 0; row + 1 < features.offsets.size(); ++row) {
    const auto begin = static_cast<std::size_t>(features.offsets[row]),
               end = static_cast<std::size_t>(features.offsets[row + 1]);
    double squares = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const auto with = static_cast<double>(texts_with[static_cast<std::size_t>(features.columns[i])]);
      const double weight = std::log((1 + static_cast<double>(texts.size())) / (1 + with)) + 1;
      features.values[i] *= static_cast<float>(weight);
      squares += static_cast<double>(features.values[i]) * features.values[i];
    }
    for (std::size_t i = begin; i < end; ++i) features.values[i] /= static_cast<float>(std::sqrt(squares));
  }
  return features;
}

}  // namespace genrec
