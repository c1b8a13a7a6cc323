#include "base/metrics.h"

#include <algorithm>
#include <cstdio>

namespace genrec {
namespace {

/// The largest k of the "ndcg@k"; 0 without any.
int largest_cutoff(const Metrics& metrics) {
  int largest = 0;
  for (const auto& [name, value] : metrics) {
    if (name.starts_with("ndcg@")) largest = std::max(largest, std::stoi(name.substr(5)));
  }
  return largest;
}

double value_of(const Metrics& metrics, const std::string& name) {
  const auto found = metrics.find(name);
  return found == metrics.end() ? 0 : found->second;
}

}  // namespace

double selection_score(const Metrics& metrics) {
  const int k = metrics.contains("ndcg@10") ? 10 : largest_cutoff(metrics);
  return value_of(metrics, "ndcg@" + std::to_string(k));
}

std::string to_text(const Metrics& metrics) {
  const std::string k = std::to_string(largest_cutoff(metrics));
  char text[96];
  std::snprintf(text, sizeof(text), "recall@%s %.4f, ndcg@%s %.4f", k.c_str(),
                value_of(metrics, "recall@" + k), k.c_str(), value_of(metrics, "ndcg@" + k));
  return text;
}

}  // namespace genrec
