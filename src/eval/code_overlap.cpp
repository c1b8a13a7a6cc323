#include "eval/code_overlap.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <string>

#include "base/error.h"

namespace genrec {
namespace {

constexpr std::int64_t kScores = std::int64_t{1} << 24;  // of a block: 64 MiB
/// Lengths below it scale as if they were so: a vector of zeros keeps its scores of 0.
constexpr double kShortest = 1e-30;

void append_best(const at::Tensor& scores, std::vector<ItemId>& nearest) {
  const at::Tensor best = scores.argmax(1);
  const auto* first = best.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < best.numel(); ++i) nearest.push_back(static_cast<ItemId>(first[i]));
}

std::size_t matches(const IdentifierTable& table, ItemId a, ItemId b) {
  const auto x = table.of(a), y = table.of(b);
  std::size_t count = 0;
  for (std::size_t p = 0; p < std::min(x.size(), y.size()); ++p) count += x[p] == y[p] ? 1 : 0;
  return count;
}

CodeOverlap overlap_of(const IdentifierTable& table, const std::vector<ItemId>& items,
                       const std::vector<ItemId>& nearest) {
  CodeOverlap sum;
  for (const ItemId item : items) {
    const auto count = static_cast<double>(matches(table, item, nearest[static_cast<std::size_t>(item)]));
    sum.matches += count;
    sum.share += count / static_cast<double>(table.of(item).size());
  }
  const auto all = static_cast<double>(std::max<std::size_t>(1, items.size()));
  return {sum.matches / all, sum.share / all};
}

std::vector<ItemId> items_with_vectors(const Embeddings& vectors) {
  std::vector<ItemId> items;
  for (std::int64_t item = 0; item < vectors.rows; ++item) {
    if (std::ranges::any_of(vectors.row(item), [](float value) { return value != 0; })) {
      items.push_back(static_cast<ItemId>(item));
    }
  }
  return items;
}

}  // namespace

NearestItems nearest_items(const Embeddings& vectors, std::int64_t block, Progress* progress) {
  const std::int64_t items = vectors.rows;
  if (items < 2) {
    throw DataError("nearest items: expected the vectors of at least two items, got " +
                    std::to_string(items));
  }
  if (block < 1) block = std::clamp<std::int64_t>(kScores / items, 1, items);
  const at::Tensor x = at::tensor(at::ArrayRef<float>(vectors.values)).view({items, vectors.width});
  const at::Tensor columns = x.t();
  const at::Tensor scale = x.square().sum(1).sqrt().clamp_min(kShortest).reciprocal();
  at::Tensor buffer = at::empty({block, items}, at::kFloat);
  NearestItems nearest;
  nearest.by_product.reserve(static_cast<std::size_t>(items));
  nearest.by_cosine.reserve(static_cast<std::size_t>(items));
  if (progress != nullptr) progress->start("nearest items", items, "items");
  for (std::int64_t begin = 0; begin < items; begin += block) {
    const std::int64_t count = std::min(block, items - begin);
    at::Tensor scores = buffer.narrow(0, 0, count);
    at::mm_out(scores, x.narrow(0, begin, count), columns);
    // An item is not its own neighbour.
    scores.narrow(1, begin, count).diagonal().fill_(-std::numeric_limits<float>::infinity());
    append_best(scores, nearest.by_product);
    // The item's own length changes nothing in the order of the others.
    append_best(scores.mul_(scale), nearest.by_cosine);
    if (progress != nullptr) progress->update(begin + count);
  }
  if (progress != nullptr) progress->finish();
  return nearest;
}

NeighbourOverlap neighbour_overlap(const IdentifierTable& table, const Embeddings& vectors,
                                   Progress* progress) {
  if (vectors.rows != table.items()) {
    throw DataError("code overlap: " + std::to_string(vectors.rows) + " vectors for " +
                    std::to_string(table.items()) + " items; row i is item i's");
  }
  const NearestItems nearest = nearest_items(vectors, 0, progress);
  const std::vector<ItemId> items = items_with_vectors(vectors);
  return {overlap_of(table, items, nearest.by_product), overlap_of(table, items, nearest.by_cosine),
          static_cast<std::int64_t>(items.size())};
}

double mean_overlap(const IdentifierTable& table) {
  const auto items = static_cast<double>(table.items());
  if (table.items() < 2) return 0;
  std::vector<std::int64_t> with(table.symbols().size());
  double pairs = 0;
  for (std::int64_t position = 0; position < table.max_length(); ++position) {
    const auto p = static_cast<std::size_t>(position);
    std::ranges::fill(with, 0);
    for (ItemId item = 0; item < table.items(); ++item) {
      if (table.of(item).size() > p) ++with[static_cast<std::size_t>(table.of(item)[p])];
    }
    for (const std::int64_t count : with) {
      pairs += static_cast<double>(count) * static_cast<double>(count - 1);
    }
  }
  return pairs / (items * (items - 1));
}

}  // namespace genrec
