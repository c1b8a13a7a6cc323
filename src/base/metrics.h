#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace genrec {

/// Figures by name: "recall@10" → 0.0672. All are fractions.
using Metrics = std::map<std::string, double>;

/// Metrics of a model on a split: by item, and with a shared identifier counted as a hit.
struct SplitMetrics {
  Metrics by_item, by_identifier;
  std::int64_t users = 0;
  double seconds = 0;
};

/// The score that models are chosen by: NDCG@10, or at the largest cut-off where 10 is not among them.
[[nodiscard]] double selection_score(const Metrics& metrics);

/// "recall@10 0.0672, ndcg@10 0.0364", at the largest cut-off.
[[nodiscard]] std::string to_text(const Metrics& metrics);

}  // namespace genrec
