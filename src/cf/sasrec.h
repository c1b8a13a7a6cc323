#pragma once
#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cf/ranker.h"
#include "cf/sequential_data.h"
#include "cf/training_loop.h"
#include "comm/communicator.h"
#include "comm/device_reducer.h"
#include "data/dataset.h"
#include "nn/autograd_leaves.h"
#include "nn/packed.h"
#include "nn/parameter_store.h"

namespace genrec {

enum class SasRecLoss {
  kCrossEntropy,  ///< softmax over all items at every position
  kBinary,        ///< the paper's: binary cross entropy of the next item and of one sampled negative
};

struct SasRecOptions {
  std::int64_t layers = 2;
  std::int64_t heads = 2;
  std::int64_t width = 64;         ///< of the embeddings
  std::int64_t inner = 256;        ///< of the feed-forward networks
  double dropout = 0.5;            ///< on embeddings and each sublayer's output
  double attention_dropout = 0.5;  ///< on attention weights
  std::int64_t history = 50;
  SasRecLoss loss = SasRecLoss::kCrossEntropy;
  /// Norms before the sublayers and at the end (the paper), or after the sublayers and on the embeddings.
  bool pre_norm = false;
  /// Positions are counted from the end of a sequence, as if it were padded in front (the paper); or else
  /// from its begin.
  bool positions_from_end = true;
  double initial_std = 0.02;  ///< of all weights; biases start at 0, norms at 1
  std::uint64_t seed = 42;
  CfTrainOptions train{.epochs = 200, .batch = 256, .lr = 1e-3, .patience = 10};
};

/// SASRec (Kang & McAuley 2018, "Self-attentive sequential recommendation"): causal self-attention over the
/// last items of a history; an item's score is the product of its input embedding with the last hidden state.
/// GELU in the feed-forward networks. float32 on any device.
///
/// Of a history it reads all that comes before the target: at test time the validation item too, which
/// LightGcn's training graph leaves out.
///
/// Sequences are packed and dropout is drawn by (seed, step, user, position), so the rank count changes
/// nothing but the rounding of sums.
class SasRec : public ItemRanker {
 public:
  /// Throws UsageError for options that make no sense together.
  SasRec(std::int64_t items, const SasRecOptions& options, at::Device device = at::kCPU);
  SasRec(const SasRec&) = delete;
  SasRec& operator=(const SasRec&) = delete;

  [[nodiscard]] std::int64_t items() const override { return items_; }
  [[nodiscard]] const SasRecOptions& options() const { return options_; }
  [[nodiscard]] ParameterStore& parameters() { return store_; }

  /// Data parallel over the ranks' users. `device_sums`: for gradients in device memory; null: over `world`.
  /// Collective.
  CfTrainReport train(const Dataset& dataset, const CfTrainHooks& hooks, Communicator& world,
                      DeviceReducer* device_sums = nullptr);

  /// [queries, items]; an empty history scores 0 everywhere.
  [[nodiscard]] at::Tensor scores(std::span<const RankerQuery> queries) const override;
  /// [items, width] float32 on the host.
  [[nodiscard]] at::Tensor item_embeddings() const;

  /// The hidden state of every position, without dropout: [positions, width].
  [[nodiscard]] at::Tensor hidden_states(const SequenceBatch& batch) const;
  /// Adds the gradients of the loss summed over the batch's positions to those of parameters(). Without a key
  /// nothing is dropped.
  BatchLoss accumulate_gradients(const SequenceBatch& batch, std::optional<std::uint64_t> dropout_key);

 private:
  /// A weight (and bias) in the store.
  struct Affine {
    std::size_t weight = 0, bias = 0;
  };
  struct Layer {
    std::size_t qkv = 0;
    Affine out, attention_norm, inner, outer, feed_forward_norm;
  };
  void declare_parameters();
  void initialise();
  [[nodiscard]] std::vector<at::Tensor> values() const;
  /// `p`: leaves or values, by index in the store. `drops`: the layout has keys to draw dropout by.
  [[nodiscard]] at::Tensor forward(const std::vector<at::Tensor>& p, const SequenceBatch& batch,
                                   const PackedLayout& layout, bool drops) const;
  [[nodiscard]] at::Tensor embedded(const std::vector<at::Tensor>& p, const SequenceBatch& batch) const;
  [[nodiscard]] at::Tensor attended(const std::vector<at::Tensor>& p, const Layer& layer, const at::Tensor& x,
                                    const PackedLayout& layout, const Dropout& dropout) const;
  [[nodiscard]] at::Tensor normalised(const std::vector<at::Tensor>& p, const Affine& norm,
                                      const at::Tensor& x) const;
  [[nodiscard]] std::vector<std::int64_t> positions_of(const SequenceBatch& batch) const;
  [[nodiscard]] double backward_cross_entropy(const at::Tensor& hidden, const SequenceBatch& batch);
  [[nodiscard]] double backward_binary(const at::Tensor& hidden, const SequenceBatch& batch);

  std::int64_t items_;
  SasRecOptions options_;
  ParameterStore store_;
  std::size_t item_embedding_ = 0, position_embedding_ = 0;
  Affine norm_;  ///< of the embeddings, or with pre_norm of the result
  std::vector<Layer> layers_;
  std::optional<AutogradLeaves> leaves_;  ///< made at the first gradient
};

}  // namespace genrec
