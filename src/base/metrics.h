#pragma once
#include <map>
#include <string>

namespace genrec {

/// Figures by name: "recall@10" → 0.0672. All are fractions.
using Metrics = std::map<std::string, double>;

/// Metrics of a model on a split: by item, and with a shared identifier counted as a hit.
struct SplitMetrics {
  Metrics by_item, by_identifier;
};

/// The score that models are chosen by: NDCG@10, or at the largest cut-off where 10 is not among them.
[[nodiscard]] double selection_score(const Metrics& metrics);

}  // namespace genrec
