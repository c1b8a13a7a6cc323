#include "app/cf_training.h"

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "eval/ranker_evaluator.h"

namespace genrec {

SasRecOptions sasrec_options(const ProgramOptions& o) {
  SasRecOptions options = o.embed.sasrec;
  options.width = o.embed.cf_width();
  options.loss = o.embed.sasrec_loss == "binary" ? SasRecLoss::kBinary : SasRecLoss::kCrossEntropy;
  options.seed = o.run.seed;
  return options;
}

LightGcnOptions lightgcn_options(const ProgramOptions& o) {
  LightGcnOptions options = o.embed.lightgcn;
  options.width = o.embed.cf_width();
  options.loss = o.embed.lightgcn_loss == "softmax" ? LightGcnLoss::kSoftmax : LightGcnLoss::kBpr;
  options.seed = o.run.seed;
  return options;
}

bool excludes_history(const EmbedOptions& options) {
  return options.exclude_history == "auto" ? options.model == "lightgcn" : options.exclude_history == "yes";
}

CfTraining::CfTraining(Session& session, const Workspace& workspace, const Runtime& runtime,
                       RunFolder& folder, CfStateFile& file, Progress& progress)
    : o_(session.options),
      world_(session.mpi.world()),
      dataset_(workspace.dataset()),
      folder_(folder),
      file_(file),
      progress_(progress),
      runtime_(runtime),
      stop_(time_limit(session.options.run)),
      clock_(session.options.run.checkpoint_minutes) {
  if (o_.embed.model == "sasrec") {
    sasrec_ = std::make_unique<SasRec>(dataset_.items(), sasrec_options(o_), runtime_.device);
    ranker_ = sasrec_.get();
  } else {
    lightgcn_ = std::make_unique<LightGcn>(dataset_, lightgcn_options(o_), world_);
    file_.divide_by_users(lightgcn_->user_parameters());
    ranker_ = lightgcn_.get();
  }
}

CfTrainReport CfTraining::train() {
  report_ =
      sasrec_ ? sasrec_->train(dataset_, hooks(), world_, runtime_.reducer.get()) : lightgcn_->train(hooks());
  if (report_.stopped) throw StoppedEarly(why_stopped(report_));
  if (report_.epochs == 0) {
    LOG_ROOT(WARNING) << o_.embed.model << ".epochs = 0: the vectors are random, nothing was trained";
  }
  return report_;
}

CfTrainHooks CfTraining::hooks() {
  const auto measure = [this](std::int64_t epoch, const std::string& split, const Metrics& metrics) {
    for (const auto& [name, value] : metrics) {
      folder_.measure({epoch, static_cast<double>(epoch), 0, split, name, value});
    }
  };
  CfTrainHooks hooks;
  hooks.validate = [this] {
    last_valid_ = evaluate(Split::kValid);
    return selection_score(last_valid_);
  };
  hooks.should_stop = [this] { return stop_.requested(); };
  hooks.checkpoint_due = [this] { return clock_.due(); };
  hooks.save = [this](const CfTrainState& state) { file_.save(state); };
  hooks.restore = [this](CfTrainState& state) { return file_.restore(state); };
  hooks.on_epoch = [this, measure](const CfEpoch& epoch) {
    measure(epoch.epoch, "train", {{"loss", epoch.loss}});
    if (epoch.score) measure(epoch.epoch, "valid", last_valid_);
  };
  hooks.progress = &progress_;
  return hooks;
}

std::string CfTraining::why_stopped(const CfTrainReport& report) const {
  std::string reason = stop_.reason();
  if (reason.empty()) reason = "another rank";
  std::string message("stopped (");
  message.append(reason).append(") after ").append(std::to_string(report.epochs));
  return message.append(" epochs, with a checkpoint: the same command goes on");
}

CfVectors CfTraining::vectors() const {
  at::Tensor vectors = sasrec_ ? sasrec_->item_embeddings() : lightgcn_->item_embeddings();
  const std::vector<std::int64_t> counts = training_counts(dataset_, world_);
  const VectorNorms norms = norms_of(vectors, counts);
  LOG_ROOT(INFO) << describe(norms);
  if (o_.embed.norm > 0) vectors = with_mean_norm(vectors, counts, o_.embed.norm);
  vectors = vectors.contiguous();
  const auto* first = vectors.const_data_ptr<float>();
  std::string source(sasrec_ ? "SASRec" : "LightGCN");
  source.append(", ").append(origin_of_parameters(report_));
  source.append(", seed ").append(std::to_string(o_.run.seed));
  CfVectors result{make_embeddings({first, first + vectors.numel()}, vectors.size(1), std::move(source), ""),
                   norms};
  result.embeddings.provenance.fingerprint = dataset_.fingerprint;
  return result;
}

Metrics CfTraining::evaluate(Split split) const {
  const RankerEvaluatorOptions options{.ks = {o_.eval.k.begin(), o_.eval.k.end()},
                                       .users = o_.eval.users,
                                       .seed = o_.run.seed,
                                       .exclude_history = excludes_history(o_.embed)};
  return evaluate_ranker(*ranker_, dataset_, split, options, world_);
}

std::optional<Metrics> CfTraining::test_knowing_validation() {
  if (!lightgcn_) return std::nullopt;
  lightgcn_->refresh(/*held_out=*/1);
  Metrics metrics = evaluate(Split::kTest);
  lightgcn_->refresh();
  return metrics;
}

Metrics CfTraining::test_with(const at::Tensor& items) {
  const ParameterStore& store = sasrec_->parameters();
  const at::Tensor own = store.value(store.index("item_embedding.weight"));
  if (items.sizes() != own.sizes()) throw Error(ExitCode::kInternal, "items of another shape than SASRec's");
  double scale = 1;  // codes lie in the space of the vectors that were written
  if (o_.embed.norm > 0) {
    const VectorNorms norms = norms_of(sasrec_->item_embeddings(), training_counts(dataset_, world_));
    scale = norms.trained.mean / o_.embed.norm;
  }
  const at::Tensor kept = own.clone();
  own.copy_(items * scale);
  Metrics metrics = evaluate(Split::kTest);
  own.copy_(kept);
  return metrics;
}

}  // namespace genrec
