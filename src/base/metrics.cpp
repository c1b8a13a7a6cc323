#include "base/metrics.h"

namespace genrec {

double selection_score(const Metrics& metrics) {
  if (const auto found = metrics.find("ndcg@10"); found != metrics.end()) return found->second;
  double score = 0;
  int largest = 0;
  for (const auto& [name, value] : metrics) {
    if (!name.starts_with("ndcg@")) continue;
    if (const int k = std::stoi(name.substr(5)); k > largest) {
      largest = k;
      score = value;
    }
  }
  return score;
}

}  // namespace genrec
