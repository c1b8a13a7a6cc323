#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "app/cf_state_file.h"
#include "app/checkpoint_clock.h"
#include "app/run_folder.h"
#include "app/runtime.h"
#include "app/session.h"
#include "app/workspace.h"
#include "base/metrics.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "cf/lightgcn.h"
#include "cf/sasrec.h"
#include "cf/vector_norms.h"
#include "data/embeddings.h"

namespace genrec {

/// Sections sasrec and lightgcn with what others add to them.
[[nodiscard]] SasRecOptions sasrec_options(const ProgramOptions& options);
[[nodiscard]] LightGcnOptions lightgcn_options(const ProgramOptions& options);
/// Whether items of a user's history are left out of the rankings of embed.model.
[[nodiscard]] bool excludes_history(const EmbedOptions& options);

/// Vectors of a trained model, with the norms that they were trained to.
struct CfVectors {
  Embeddings embeddings;
  VectorNorms norms;
};

/// A training of embed.model, sasrec or lightgcn, in a run folder. Keeps references. Members are collective.
class CfTraining {
 public:
  CfTraining(Session& session, const Workspace& workspace, const Runtime& runtime, RunFolder& folder,
             CfStateFile& file, Progress& progress);

  /// Trains, or goes on from the state in the file. Throws StoppedEarly on all ranks when one wishes to stop:
  /// the file then holds all of it.
  CfTrainReport train();
  /// After train(), of its best epoch, scaled to embed.norm where that is given.
  [[nodiscard]] CfVectors vectors() const;
  /// Likewise.
  [[nodiscard]] Metrics evaluate(Split split) const;
  /// On test, of a SASRec with `items` [items, width] float32, in the space of vectors(), in place of its item
  /// embeddings (LETTER, Table 3).
  [[nodiscard]] Metrics test_with(const at::Tensor& items);
  /// On test, of a model that also knows the validation items, as one that reads histories does: of LightGCN
  /// alone.
  [[nodiscard]] std::optional<Metrics> test_knowing_validation();

 private:
  [[nodiscard]] CfTrainHooks hooks();
  [[nodiscard]] std::string why_stopped(const CfTrainReport& report) const;

  const ProgramOptions& o_;
  Communicator& world_;
  const Dataset& dataset_;
  RunFolder& folder_;
  CfStateFile& file_;
  Progress& progress_;
  const Runtime& runtime_;
  StopSignal stop_;
  CheckpointClock clock_;
  std::unique_ptr<SasRec> sasrec_;      ///< this one
  std::unique_ptr<LightGcn> lightgcn_;  ///< or this one
  const ItemRanker* ranker_ = nullptr;
  CfTrainReport report_;
  Metrics last_valid_;
};

}  // namespace genrec
