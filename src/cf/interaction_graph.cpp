#include "cf/interaction_graph.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace genrec {

InteractionGraph::InteractionGraph(const Dataset& dataset, Communicator& world, std::int64_t held_out)
    : item_degrees_(static_cast<std::size_t>(dataset.items())) {
  set_users(dataset, held_out, world);
  set_items(item_degrees_.size());
}

void InteractionGraph::set_users(const Dataset& dataset, std::int64_t held_out, Communicator& world) {
  const Interactions& mine = dataset.interactions;
  std::vector<ItemId> items;
  for (std::int64_t row = 0; row < mine.rows(); ++row) {
    const auto part = part_without(mine, row, held_out);
    items.assign(part.begin(), part.end());
    std::sort(items.begin(), items.end());
    // An item that comes again makes no second edge.
    items.erase(std::unique(items.begin(), items.end()), items.end());
    for (const ItemId item : items) ++item_degrees_[static_cast<std::size_t>(item)];
    by_user_.columns.insert(by_user_.columns.end(), items.begin(), items.end());
    by_user_.offsets.push_back(static_cast<std::int64_t>(by_user_.columns.size()));
  }
  world.all_reduce_sum(std::span(item_degrees_));
  by_user_.weights.reserve(by_user_.columns.size());
  for (std::size_t u = 0; u + 1 < by_user_.offsets.size(); ++u) {
    const std::int64_t degree = by_user_.offsets[u + 1] - by_user_.offsets[u];
    for (std::int64_t e = by_user_.offsets[u]; e < by_user_.offsets[u + 1]; ++e) {
      const auto item = static_cast<std::size_t>(by_user_.columns[static_cast<std::size_t>(e)]);
      const double product = static_cast<double>(degree) * static_cast<double>(item_degrees_[item]);
      by_user_.weights.push_back(static_cast<float>(1 / std::sqrt(product)));
    }
  }
}

/// Users come in ascending order in every item's row.
void InteractionGraph::set_items(std::size_t items) {
  by_item_.offsets.assign(items + 1, 0);
  for (const std::int32_t item : by_user_.columns) ++by_item_.offsets[static_cast<std::size_t>(item) + 1];
  for (std::size_t i = 0; i < items; ++i) by_item_.offsets[i + 1] += by_item_.offsets[i];
  by_item_.columns.resize(by_user_.columns.size());
  by_item_.weights.resize(by_user_.columns.size());
  std::vector<std::int64_t> next(by_item_.offsets.begin(), by_item_.offsets.end() - 1);
  for (std::size_t u = 0; u + 1 < by_user_.offsets.size(); ++u) {
    for (std::int64_t e = by_user_.offsets[u]; e < by_user_.offsets[u + 1]; ++e) {
      const auto edge = static_cast<std::size_t>(e);
      const auto place = static_cast<std::size_t>(next[static_cast<std::size_t>(by_user_.columns[edge])]++);
      by_item_.columns[place] = static_cast<std::int32_t>(u);
      by_item_.weights[place] = by_user_.weights[edge];
    }
  }
}

at::Tensor InteractionGraph::product(const Rows& rows, const at::Tensor& x) {
  const auto count = static_cast<std::int64_t>(rows.offsets.size()) - 1;
  const std::int64_t width = x.size(1);
  at::Tensor y = at::zeros({count, width}, at::kFloat);
  auto* to = y.data_ptr<float>();
  const auto* from = x.const_data_ptr<float>();
  at::parallel_for(0, count, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* out = to + row * width;
      const auto r = static_cast<std::size_t>(row);
      for (std::int64_t e = rows.offsets[r]; e < rows.offsets[r + 1]; ++e) {
        const auto edge = static_cast<std::size_t>(e);
        const float weight = rows.weights[edge];
        const float* in = from + rows.columns[edge] * width;
        for (std::int64_t j = 0; j < width; ++j) out[j] += weight * in[j];
      }
    }
  });
  return y;
}

NodeVectors InteractionGraph::propagate(const NodeVectors& x, std::int64_t layers,
                                        Communicator& world) const {
  NodeVectors layer{x.users.contiguous(), x.items.contiguous()};
  NodeVectors sum{layer.users.clone(), layer.items.clone()};
  for (std::int64_t l = 0; l < layers; ++l) {
    NodeVectors next{product(by_user_, layer.items), product(by_item_, layer.users)};
    world.all_reduce_sum(
        std::span<float>(next.items.data_ptr<float>(), static_cast<std::size_t>(next.items.numel())));
    sum.users.add_(next.users);
    sum.items.add_(next.items);
    layer = std::move(next);
  }
  const double share = 1 / static_cast<double>(layers + 1);
  sum.users.mul_(share);
  sum.items.mul_(share);
  return sum;
}

}  // namespace genrec
