#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

#include "cf/user_rows.h"
#include "comm/communicator.h"
#include "data/dataset.h"

namespace genrec {

/// A vector a node, float32 on the host: [this rank's users, width] and [all items, width].
struct NodeVectors {
  at::Tensor users, items;
};

/// The user-item graph of the training part (all but a user's last two items), or of longer histories. The
/// edge between user u and item i weighs 1 / sqrt(degree(u) * degree(i)); no self-loops (LightGCN, He et al.
/// 2020, equation 3).
///
/// Users, with their edges and vectors, are divided over the ranks; every rank has the vectors of all items.
/// A layer then costs one sum of [items, width] over the ranks, whatever the number of users, while nobody
/// holds everybody's interactions or vectors, which outgrow one rank first.
class InteractionGraph {
 public:
  /// `held_out`: last items of every history that make no edge. Collective.
  InteractionGraph(const Dataset& dataset, Communicator& world, std::int64_t held_out = kHeldOut);

  /// The mean of x, A x, ..., A^layers x, where A is the weighted adjacency matrix. A is symmetric, so the
  /// gradient through this function is this function of the gradient. x.items must be the same on every
  /// rank, as the result's are. Sums of a node have a fixed order: the number of threads changes no bit, the
  /// number of ranks the rounding of items. Collective.
  [[nodiscard]] NodeVectors propagate(const NodeVectors& x, std::int64_t layers, Communicator& world) const;

  /// Users of all ranks that have the item.
  [[nodiscard]] std::span<const std::int64_t> item_degrees() const { return item_degrees_; }

 private:
  /// A sparse matrix by rows (CSR).
  struct Rows {
    std::vector<std::int64_t> offsets{0};
    std::vector<std::int32_t> columns;
    std::vector<float> weights;
  };
  static at::Tensor product(const Rows& rows, const at::Tensor& x);
  void set_users(const Dataset& dataset, std::int64_t held_out, Communicator& world);
  void set_items(std::size_t items);

  Rows by_user_;  ///< this rank's users x items
  Rows by_item_;  ///< its transpose
  std::vector<std::int64_t> item_degrees_;
};

}  // namespace genrec
