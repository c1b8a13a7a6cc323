#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "data/embeddings.h"
#include "tokenizers/rqvae/item_lanes.h"
#include "tokenizers/rqvae/rqvae_options.h"

namespace genrec {

/// The batches of one epoch, on the device.
struct RqvaeEpochData {
  LaneEpoch order;
  std::vector<std::int64_t> first_own;  ///< a step each: where in rows, draws and items its own begin
  at::Tensor rows;                      ///< of RqvaeBatches::own_rows: the rank's own items, batch by batch
  at::Tensor places;                    ///< all items, batch by batch; undefined without letter.alpha
  at::Tensor draws;  ///< [own items, levels], for the positives; undefined without letter.beta
  std::vector<std::uint64_t> items;  ///< the own ones, batch by batch

  [[nodiscard]] std::int64_t steps() const { return static_cast<std::int64_t>(order.steps.size()); }
};

/// A step's part of it.
struct RqvaeBatch {
  at::Tensor x;                          ///< [rows, width]
  at::Tensor cf;                         ///< [size, dim]: of the whole batch; undefined without letter.alpha
  at::Tensor draws;                      ///< [rows, levels]; undefined without letter.beta
  std::span<const std::uint64_t> items;  ///< of the rows; lives with the RqvaeEpochData
  std::int64_t size = 0;                 ///< rows of all ranks
  std::int64_t first_row = 0;            ///< of this rank's in the whole batch
};

/// The vectors that a rank trains on, and their batches: the embeddings of its own items (item_lanes.h), the
/// collaborative vectors of all.
class RqvaeBatches {
 public:
  /// `cf`: needed where letter.alpha > 0. `embeddings` and `cf` are read here only.
  RqvaeBatches(const Embeddings& embeddings, const Embeddings* cf, const RqvaeOptions& options,
               const Communicator& world, at::Device device);

  [[nodiscard]] const ItemLanes& lanes() const { return lanes_; }
  [[nodiscard]] const at::Tensor& own_rows() const { return own_rows_; }  ///< [own items, width], by place
  /// Those of them that the codebooks start from, by place: the first batch for plain k-means that it holds
  /// enough items for, else all of them or the sample that constrained k-means takes.
  [[nodiscard]] at::Tensor start_rows() const;
  [[nodiscard]] RqvaeEpochData epoch(std::int64_t number) const;
  [[nodiscard]] RqvaeBatch batch(const RqvaeEpochData& epoch, std::int64_t step) const;

  /// Of each item the first one with the same embedding: [items] int64, host.
  [[nodiscard]] const at::Tensor& first_equal() const { return first_equal_; }
  /// `own` [own items, columns], by place -> [items, columns] on the host, where equal embeddings have the
  /// row of their first item. Collective.
  [[nodiscard]] at::Tensor by_item(const at::Tensor& own, Communicator& world) const;

 private:
  RqvaeOptions options_;
  int rank_, ranks_;
  ItemLanes lanes_;
  Range own_places_;
  at::Device device_;
  at::Tensor own_rows_;
  at::Tensor cf_;             ///< [items, dim] by place; undefined without letter.alpha
  at::Tensor item_of_place_;  ///< [items] int64, host
  at::Tensor first_equal_;
};

}  // namespace genrec
