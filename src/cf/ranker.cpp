#include "cf/ranker.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace genrec {
namespace {

struct Scored {
  float score;
  ItemId item;
};

/// Fills `best`, whose size is at most `items`; false when a score is NaN.
bool select_best(const float* scores, std::int64_t items, std::vector<Scored>& best) {
  const std::size_t k = best.size();
  std::size_t filled = 0;
  for (std::int64_t item = 0; item < items; ++item) {
    const float score = scores[item];
    if (std::isnan(score)) return false;
    // Items come in ascending order: a later one must be better, not as good.
    if (filled == k && !(score > best[k - 1].score)) continue;
    std::size_t place = filled < k ? filled++ : k - 1;
    for (; place > 0 && best[place - 1].score < score; --place) best[place] = best[place - 1];
    best[place] = {score, static_cast<ItemId>(item)};
  }
  return true;
}

}  // namespace

std::vector<ItemId> rank_top_k(const at::Tensor& scores, std::int64_t k) {
  const at::Tensor host = scores.contiguous();
  const std::int64_t rows = host.size(0), items = host.size(1);
  const auto width = static_cast<std::size_t>(std::min(k, items));
  std::vector<ItemId> ranking(static_cast<std::size_t>(rows) * width);
  if (width == 0) return ranking;
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(rows));
  const auto* values = host.const_data_ptr<float>();
  at::parallel_for(0, rows, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Scored> best(width);
    for (std::int64_t row = begin; row < end; ++row) {
      const auto r = static_cast<std::size_t>(row);
      numbers[r] = select_best(values + row * items, items, best) ? 1 : 0;
      for (std::size_t i = 0; i < width; ++i) ranking[r * width + i] = best[i].item;
    }
  });
  if (std::find(numbers.begin(), numbers.end(), 0) != numbers.end()) {
    throw DataError("ranking: scores of items are not numbers; train the model with a lower learning rate");
  }
  return ranking;
}

}  // namespace genrec
