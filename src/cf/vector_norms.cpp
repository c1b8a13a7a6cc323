#include "cf/vector_norms.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "cf/user_rows.h"

namespace genrec {
namespace {

/// A sum until finish().
void add(NormRange& range, double norm) {
  range.min = range.items == 0 ? norm : std::min(range.min, norm);
  range.max = std::max(range.max, norm);
  range.mean += norm;
  ++range.items;
}

void finish(NormRange& range) {
  if (range.items > 0) range.mean /= static_cast<double>(range.items);
}

std::string text_of(const NormRange& range) {
  char text[120];
  std::snprintf(text, sizeof(text), "%.3g to %.3g, mean %.3g (items: %lld)", range.min, range.max, range.mean,
                static_cast<long long>(range.items));
  return text;
}

}  // namespace

std::vector<std::int64_t> training_counts(const Dataset& dataset, Communicator& world) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(dataset.items()));
  const Interactions& mine = dataset.interactions;
  for (std::int64_t row = 0; row < mine.rows(); ++row) {
    for (const ItemId item : training_part(mine, row)) ++counts[static_cast<std::size_t>(item)];
  }
  world.all_reduce_sum(std::span(counts));
  return counts;
}

VectorNorms norms_of(const at::Tensor& vectors, std::span<const std::int64_t> counts) {
  if (vectors.size(0) != static_cast<std::int64_t>(counts.size())) {
    throw Error(ExitCode::kInternal, "norms of vectors: one count an item is needed");
  }
  const at::Tensor norms = vectors.to(at::kDouble).square().sum(1).sqrt().contiguous();
  const auto* norm = norms.const_data_ptr<double>();
  VectorNorms all;
  for (std::size_t item = 0; item < counts.size(); ++item) {
    add(counts[item] > 0 ? all.trained : all.unseen, norm[item]);
  }
  finish(all.trained);
  finish(all.unseen);
  return all;
}

at::Tensor with_mean_norm(const at::Tensor& vectors, std::span<const std::int64_t> counts, double norm) {
  const double mean = norms_of(vectors, counts).trained.mean;
  if (!(mean > 0)) {
    throw DataError(
        "embed.norm: the vectors of all trained items are 0, and no factor gives them a norm; "
        "train for more epochs, or leave the option out");
  }
  return vectors * (norm / mean);
}

std::string describe(const VectorNorms& norms) {
  std::string text("norms of vectors: ");
  text += text_of(norms.trained);
  if (norms.unseen.items > 0) text.append("; without a training interaction: ").append(text_of(norms.unseen));
  return text;
}

}  // namespace genrec
