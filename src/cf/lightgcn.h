#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <span>

#include "cf/interaction_data.h"
#include "cf/interaction_graph.h"
#include "cf/ranker.h"
#include "cf/training_loop.h"
#include "cf/user_rows.h"
#include "comm/communicator.h"
#include "data/dataset.h"
#include "nn/parameter_store.h"

namespace genrec {

enum class LightGcnLoss {
  kBpr,      ///< the paper's: Bayesian personalised ranking with one sampled negative (Rendle et al. 2009)
  kSoftmax,  ///< cross entropy of the softmax over all items: a dearer step, usually fewer epochs
};

struct LightGcnOptions {
  std::int64_t layers = 3;
  std::int64_t width = 64;
  LightGcnLoss loss = LightGcnLoss::kBpr;
  /// lambda of lambda / 2 * |ego embeddings of a sample|^2, a mean over samples; of user, item, and with BPR
  /// the negative.
  double l2 = 1e-4;
  double tau = 1;  ///< softmax: temperature
  double initial_std = 0.1;
  std::uint64_t seed = 42;
  CfTrainOptions train{.epochs = 400, .batch = 2048, .lr = 1e-3, .eval_every = 5, .patience = 10};
};

/// LightGCN (He et al. 2020, "LightGCN: simplifying and powering graph convolution network for
/// recommendation"): embeddings of users and items, propagated over the graph of the training part; the mean
/// over layers is final, and a score is the inner product of final embeddings, in training (both losses) and
/// in ranking. On the CPU, float32.
///
/// A user is what the graph says of them; a history is not read. Over the graph of the training part, the
/// protocol of the papers, a test score knows nothing of the validation item, which a sequential model reads:
/// refresh(1) gives the model as much.
///
/// A rank holds the embeddings of its own users, and all items' (InteractionGraph tells why). Keeps
/// references to dataset and world.
class LightGcn : public ItemRanker {
 public:
  /// Throws UsageError for options that make no sense. Collective.
  LightGcn(const Dataset& dataset, const LightGcnOptions& options, Communicator& world);
  LightGcn(const LightGcn&) = delete;
  LightGcn& operator=(const LightGcn&) = delete;

  [[nodiscard]] std::int64_t items() const override { return dataset_.items(); }
  [[nodiscard]] const LightGcnOptions& options() const { return options_; }
  /// Ego embeddings: one entry, [this rank's users, width] and [items, width].
  [[nodiscard]] ParameterStore& user_parameters() { return users_; }
  [[nodiscard]] ParameterStore& item_parameters() { return items_; }

  /// Throws DataError when nobody has a training interaction. Collective.
  CfTrainReport train(const CfTrainHooks& hooks);
  /// Final embeddings from the present parameters, over the graph of histories without their last `held_out`
  /// items: 2, that of training, or 1, for test scores that know the validation items. train() ends with the
  /// former. Collective.
  void refresh(std::int64_t held_out = kHeldOut);

  /// As of the last refresh(), for this rank's users; histories are not looked at.
  [[nodiscard]] at::Tensor scores(std::span<const RankerQuery> queries) const override;
  /// Final embeddings as of the last refresh(), copies: [items, width], and [this rank's users, width] in the
  /// order of the dataset's rows.
  [[nodiscard]] at::Tensor item_embeddings() const { return final_.items.clone(); }
  [[nodiscard]] at::Tensor user_embeddings() const { return final_.users.clone(); }

  /// Sets the gradients of both stores to those of the loss summed over the global batch, of which this is
  /// the rank's part. Returns this part's loss. Collective.
  BatchLoss compute_gradients(const InteractionBatch& batch);

 private:
  [[nodiscard]] NodeVectors ego() const { return {users_.value(0), items_.value(0)}; }
  [[nodiscard]] double add_l2(const InteractionBatch& batch);

  const Dataset& dataset_;
  LightGcnOptions options_;
  Communicator& world_;
  InteractionGraph graph_;
  ParameterStore users_, items_;
  NodeVectors final_;
};

}  // namespace genrec
