#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "comm/device_reducer.h"
#include "data/embeddings.h"
#include "nn/parameter_store.h"
#include "tokenizers/item_tokenizer.h"
#include "tokenizers/rqvae/index_generation.h"
#include "tokenizers/rqvae/rqvae_model.h"
#include "tokenizers/rqvae/rqvae_options.h"
#include "tokenizers/rqvae/rqvae_state.h"
#include "tokenizers/rqvae/rqvae_trainer.h"

namespace genrec {

/// Where the RQ-VAE is computed.
struct RqvaeRuntime {
  at::Device device = at::kCPU;
  Precision precision = Precision::kFloat32;  ///< of products in training; identifiers are made in f32
  DeviceReducer* device_sums = nullptr;       ///< of gradients on a device; may be absent
};

/// What became of the last fit().
struct RqvaeReport {
  RqvaeMeasurement measurement;  ///< of the weights that the identifiers are made with; argmin at every level
  RqvaeScore score;              ///< of these weights
  EmbeddingCounts embeddings;
  Reassignment reassignment;  ///< zeros but for collision = sinkhorn
  double collision_rate = 0;  ///< of the identifiers
  /// (distinct embeddings - distinct identifiers of these) / distinct embeddings: what no equal rows explain.
  double collision_rate_of_distinct = 0;
};

/// Identifiers "<a_12>", "<b_7>", ... from item embeddings: methods "tiger" and "letter".
class RqvaeTokenizer : public ItemTokenizer {
 public:
  /// `options` are those of options_of_method(). `cf`: collaborative vectors, needed where letter.alpha > 0.
  RqvaeTokenizer(RqvaeOptions options, Embeddings embeddings, std::optional<Embeddings> cf,
                 RqvaeRuntime runtime = {});
  ~RqvaeTokenizer() override;

  /// Of the next fit().
  void set_hooks(RqvaeHooks hooks) { hooks_ = std::move(hooks); }
  /// The next fit() goes on from there; a state whose epochs are done gives its identifiers at once.
  void resume_from(RqvaeState state) { resumed_ = std::move(state); }

  /// Trains, measures and makes identifiers. Throws DataError (rows that are not those of the dataset, NaN,
  /// vectors that do not fit), UsageError (options) and StoppedEarly (hooks.stop, after hooks.save). Equal
  /// embeddings, fewer items than codes and unused codes are counted in the log. Only once: the vectors are
  /// freed as soon as every rank has the rows of its items.
  [[nodiscard]] IdentifierTable fit(const Dataset& dataset, Communicator& world) override;

  /// The identifiers of `table` and behind them those of items that training never saw, by the networks and
  /// codebooks of the last fit(). See with_new_items.
  [[nodiscard]] IdentifierTable new_items(const IdentifierTable& table, const Embeddings& fresh) const;
  /// Of the last fit().
  [[nodiscard]] const RqvaeReport& report() const { return report_; }
  [[nodiscard]] const RqvaeState& state() const { return state_; }

 private:
  void check_inputs(const Dataset& dataset) const;
  [[nodiscard]] ItemCodes identifiers_of(const RqvaeTrainer& trainer);
  void say(const std::vector<std::string>& notes) const;

  RqvaeOptions options_;
  Embeddings embeddings_;
  std::optional<Embeddings> cf_;
  RqvaeRuntime runtime_;
  RqvaeHooks hooks_;
  std::optional<RqvaeState> resumed_;
  std::unique_ptr<RqvaeModel> model_;
  RqvaeReport report_;
  RqvaeState state_;
};

/// A model with the weights of a state that was saved, for with_new_items. Throws DataError when the state is
/// of other widths than `width` (of the embeddings) and the options say.
[[nodiscard]] std::unique_ptr<RqvaeModel> restored_model(const RqvaeState& state, std::int64_t width,
                                                         const RqvaeOptions& options,
                                                         const RqvaeRuntime& runtime = {});

}  // namespace genrec
