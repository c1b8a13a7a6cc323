#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/session.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "data/virtual_shards.h"
#include "eval/evaluator.h"
#include "io/host_array.h"
#include "io/json_file.h"
#include "io/text_tokenizer.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/vocabulary.h"
#include "training/checkpoint.h"
#include "training/prompts.h"

namespace genrec {

/// The dataset and its text as one rank holds them, for every command that trains or ranks.
class Workspace {
 public:
  /// Loads the dataset and says what was repaired. `checkpoint`: its SentencePiece model and templates are
  /// taken. `command`: without text.spiece the model of the run that this command would go on with is taken,
  /// where there is one. Collective.
  Workspace(Session& session, const CheckpointState* checkpoint = nullptr, const std::string& command = "");

  [[nodiscard]] const Dataset& dataset() const { return dataset_; }
  /// What the loader repaired or left out, a sentence each.
  [[nodiscard]] const std::vector<std::string>& repairs() const { return repairs_; }
  [[nodiscard]] const std::vector<std::string>& texts() const { return texts_; }
  [[nodiscard]] const Prompts& prompts() const { return prompts_; }
  [[nodiscard]] const std::vector<std::string>& templates() const { return templates_; }
  /// Throws DataError unless some item has a title: alignment needs them.
  void require_titles() const;
  /// Null in a codes-only model.
  [[nodiscard]] const TitlePieces* titles() const { return titles_ ? &*titles_ : nullptr; }
  [[nodiscard]] TokenId text_pieces() const;
  /// Null in a codes-only model.
  [[nodiscard]] const TextTokenizer* text_tokenizer() const { return text_ ? &*text_ : nullptr; }
  [[nodiscard]] std::string spiece_bytes() const;
  /// This rank's training order for global batches of `batch`.
  [[nodiscard]] TrainingOrder training_order(std::int64_t batch) const;

  /// The tokenizer's codebooks, for every checkpoint of this run.
  void keep_codebooks(HostArray codebooks) { codebooks_ = std::move(codebooks); }
  /// What every checkpoint of this run says of it.
  [[nodiscard]] CheckpointState identity() const;
  /// A model of `vocabulary` tokens by section `model`: weights of a folder, or initialised.
  [[nodiscard]] std::unique_ptr<T5Model> make_model(const Runtime& runtime,
                                                    const Vocabulary& vocabulary) const;

 private:
  void make_text_tokenizer(const CheckpointState* checkpoint, const std::string& command);
  [[nodiscard]] std::string trained_text_model() const;
  [[nodiscard]] std::vector<std::string> lines_to_train_on() const;

  Session& session_;
  std::vector<std::string> repairs_;
  Dataset dataset_;
  VirtualShards shards_;
  std::vector<std::string> texts_, templates_;
  std::optional<TextTokenizer> text_;
  Prompts prompts_;
  std::optional<TitlePieces> titles_;
  HostArray codebooks_;
};

/// What environment.json says: versions, checksums of the inputs, repairs, rank → device table, variables of
/// the launch. Collective; the root's counts.
[[nodiscard]] Json describe_environment(Session& session, const Runtime& runtime, const Workspace& workspace);
/// How sections decode and run rank items.
[[nodiscard]] RankingOptions ranking_options(const ProgramOptions& options, const Runtime& runtime);
/// Beam search over the identifiers for every user of the split (or a sample), exact metrics over all ranks.
/// Throws StoppedEarly on all ranks when `should_stop` holds on one. Collective.
EvaluationReport evaluate_split(Session& session, const Workspace& workspace, const Runtime& runtime,
                                Progress& progress, const T5Model& model, const TokenizedItems& items,
                                Split split, const std::function<bool()>& should_stop = {});
/// Metrics of the popularity ranking. Collective.
Metrics evaluate_popularity(Session& session, const Workspace& workspace, Split split);
/// The contract's name of the rule.
[[nodiscard]] ScoreRule score_rule(const DecodeOptions& options);
/// run.dir, or runs/COMMAND-DATASET.
[[nodiscard]] std::string run_directory(const Session& session, const std::string& command,
                                        const Dataset& dataset);

}  // namespace genrec
