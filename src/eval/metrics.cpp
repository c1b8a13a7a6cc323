#include "eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace genrec {
namespace {

/// "@10". Appending, because GCC 12 takes "@" + std::to_string(k) for an overflow (the kin of GCC bug
/// 105651).
std::string at(std::int32_t k) {
  std::string text("@");
  text += std::to_string(k);
  return text;
}

constexpr std::size_t kReduceItems = std::size_t{1} << 20;

double recall_of(const Metrics& metrics, int k) {
  return metrics.at("recall@" + std::to_string(k));
}
double ndcg_of(const Metrics& metrics, int k) {
  return metrics.at("ndcg@" + std::to_string(k));
}

/// The ks of "recall@k" that have an "ndcg@k" beside them, ascending.
std::vector<int> cutoffs(const Metrics& metrics) {
  std::vector<int> ks;
  for (const auto& [name, value] : metrics) {
    if (!name.starts_with("recall@")) continue;
    if (const std::string k = name.substr(7); metrics.contains("ndcg@" + k)) ks.push_back(std::stoi(k));
  }
  std::sort(ks.begin(), ks.end());
  return ks;
}

class Checker {
 public:
  explicit Checker(double tolerance) : tolerance_(tolerance) {}
  void at_most(double low, const std::string& low_name, double high, const std::string& high_name) {
    if (low <= high + tolerance_) return;
    violated_.push_back(low_name + " = " + std::to_string(low) + " exceeds " + high_name + " = " +
                        std::to_string(high));
  }
  [[nodiscard]] std::vector<std::string> take() { return std::move(violated_); }

 private:
  double tolerance_;
  std::vector<std::string> violated_;
};

}  // namespace

void RankCounts::add(std::int64_t rank) {
  const bool listed = rank > 0 && rank < static_cast<std::int64_t>(found_.size());
  ++found_[listed ? static_cast<std::size_t>(rank) : 0];
}

void RankCounts::reduce(Communicator& world) {
  world.all_reduce_sum(std::span(found_));
}

std::int64_t RankCounts::users() const {
  return std::reduce(found_.begin(), found_.end());
}

double RankCounts::recall(std::int32_t k) const {
  const auto end = std::min(found_.size(), static_cast<std::size_t>(k) + 1);
  const std::int64_t hits =
      std::reduce(found_.begin() + 1, found_.begin() + static_cast<std::ptrdiff_t>(end), std::int64_t{0});
  return users() > 0 ? static_cast<double>(hits) / static_cast<double>(users()) : 0;
}

double RankCounts::ndcg(std::int32_t k) const {
  const auto end = std::min(found_.size(), static_cast<std::size_t>(k) + 1);
  double gain = 0;
  for (std::size_t r = 1; r < end; ++r) {
    gain += static_cast<double>(found_[r]) / std::log2(static_cast<double>(r) + 1);
  }
  return users() > 0 ? gain / static_cast<double>(users()) : 0;
}

Metrics RankCounts::metrics(std::span<const std::int32_t> ks) const {
  Metrics metrics;
  for (std::int32_t k : ks) {
    metrics["recall@" + std::to_string(k)] = recall(k);
    metrics["ndcg@" + std::to_string(k)] = ndcg(k);
  }
  return metrics;
}

void Coverage::add(ItemId item, std::int32_t rank) {
  auto& best = best_[static_cast<std::size_t>(item)];
  best = std::min(best, rank);
}

void Coverage::reduce(Communicator& world) {
  std::vector<std::int64_t> nearness;
  for (std::size_t begin = 0; begin < best_.size(); begin += kReduceItems) {
    const std::size_t end = std::min(best_.size(), begin + kReduceItems);
    nearness.clear();
    for (std::size_t i = begin; i < end; ++i) nearness.push_back(limit_ + 1 - best_[i]);
    world.all_reduce_max(std::span(nearness));
    for (std::size_t i = begin; i < end; ++i) {
      best_[i] = limit_ + 1 - static_cast<std::int32_t>(nearness[i - begin]);
    }
  }
}

double Coverage::at(std::int32_t k) const {
  const auto seen = std::count_if(best_.begin(), best_.end(), [k](std::int32_t rank) { return rank <= k; });
  return best_.empty() ? 0 : static_cast<double>(seen) / static_cast<double>(best_.size());
}

std::vector<std::string> inconsistencies(const Metrics& metrics, double tolerance) {
  Checker check(tolerance);
  const std::vector<int> ks = cutoffs(metrics);
  for (std::size_t i = 0; i < ks.size(); ++i) {
    const int a = ks[i];
    const std::string at_a = at(a);
    const double recall = recall_of(metrics, a), ndcg = ndcg_of(metrics, a);
    check.at_most(recall / std::log2(a + 1), "recall" + at_a + " / log2(" + std::to_string(a + 1) + ")", ndcg,
                  "ndcg" + at_a);
    check.at_most(ndcg, "ndcg" + at_a, recall, "recall" + at_a);
    if (i + 1 == ks.size()) continue;
    const int b = ks[i + 1];
    const std::string from_to = " from @" + std::to_string(a) + " to @" + std::to_string(b);
    const double more_recall = recall_of(metrics, b) - recall, more_ndcg = ndcg_of(metrics, b) - ndcg;
    check.at_most(0, "0", more_recall, "recall's gain" + from_to);
    check.at_most(more_recall / std::log2(b + 1),
                  "recall's gain" + from_to + " / log2(" + std::to_string(b + 1) + ")", more_ndcg,
                  "ndcg's gain" + from_to);
    check.at_most(more_ndcg, "ndcg's gain" + from_to, more_recall / std::log2(a + 2),
                  "recall's gain / log2(" + std::to_string(a + 2) + ")");
  }
  return check.take();
}

}  // namespace genrec
