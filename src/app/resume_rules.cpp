#include "app/resume_rules.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "optim/schedule.h"
#include "siit/siit_state.h"

namespace genrec {
namespace {

/// These say where and how a run computes, not what. The dataset is compared by its fingerprint, the text
/// model by its bytes.
constexpr std::array<std::string_view, 13> kFree = {
    "data.dir",           "data.name",        "data.file",
    "text.spiece",        "train.hash-every", "train.microbatch-tokens",
    "siit.stop-before",   "eval.split",       "eval.baselines",
    "decode.batch",       "recommend.users",  "recommend.output",
    "tokenizer.new-items"};
/// Of the embed command and of dry runs alone.
constexpr std::array<std::string_view, 4> kFreeSections = {"embed.", "sasrec.", "lightgcn.", "estimate."};
/// Vectors are compared by their bytes; the others come after the training of a tokenizer.
constexpr std::array<std::string_view, 7> kFreeOfTokenizer = {
    "tokenizer.index",          "tokenizer.embeddings", "letter.cf",
    "tokenizer.new-items",      "tokenizer.collision",  "tokenizer.reassign-rounds",
    "tokenizer.warn-used-share"};
constexpr std::array<std::string_view, 2> kFixedOfRun = {"run.seed", "run.precision"};

struct FirstUse {
  std::string_view key;
  SiitStage stage;
  bool at_its_end = false;
};
/// What the first iteration of SIIT uses only from a later stage on.
constexpr std::array<FirstUse, 6> kUsedLater = {{{"siit.align-epochs", SiitStage::kAlign},
                                                 {"siit.candidates", SiitStage::kRegenerate},
                                                 {"siit.strategy", SiitStage::kRegenerate},
                                                 {"siit.order", SiitStage::kRegenerate},
                                                 {"siit.continue-from", SiitStage::kRegenerate, true},
                                                 {"siit.finetune-epochs", SiitStage::kFinetune}}};

struct StageLength {
  std::string_view key, stage;
  std::int64_t epochs;
};

template <std::size_t n>
bool contains(const std::array<std::string_view, n>& keys, const std::string& key) {
  return std::ranges::find(keys, key) != keys.end();
}

bool not_used_yet(const std::string& key, const CheckpointState& state) {
  const auto use = std::ranges::find(kUsedLater, key, &FirstUse::key);
  const std::optional<SiitStage> now = stage_named(state.stage);
  if (use == kUsedLater.end() || !now || state.iteration > 1) return false;
  const bool begun = state.position != TrainPosition{} || state.regenerated > 0;
  return *now < use->stage || (*now == use->stage && (use->at_its_end || !begun));
}

/// A stage in work may get another length, unless its learning rate has followed the old one.
bool may_reset_length(const std::string& key, const CheckpointState& state, const ProgramOptions& options) {
  const std::array<StageLength, 4> lengths = {
      {{"siit.warmup-epochs", "warm-up", options.siit.warmup_epochs},
       {"siit.align-epochs", "align", options.siit.align_epochs},
       {"siit.finetune-epochs", "fine-tune", options.siit.finetune_epochs},
       {"train.epochs", "train", options.train.epochs}}};
  const auto length = std::ranges::find(lengths, key, &StageLength::key);
  if (length == lengths.end() || length->stage != state.stage || state.iteration > 1) return false;
  // train validates its last epoch out of turn.
  if (key == "train.epochs" && options.train.eval_every != 1) return false;
  const std::int64_t begun = state.position.epoch + (state.position.step > 0 ? 1 : 0);
  return length->epochs >= begun && !rate_depends_on_length(options.train.schedule, options.train.warmup);
}

/// The last iteration is decided at its validation.
bool iterations_still_open(const CheckpointState& state, const ProgramOptions& options) {
  const std::optional<SiitStage> now = stage_named(state.stage);
  return now && *now < SiitStage::kTest && options.siit.iterations >= state.iteration;
}

}  // namespace

bool may_change(const std::string& key, const CheckpointState& state, const ProgramOptions& options) {
  if (key.starts_with("run.")) return !contains(kFixedOfRun, key);
  if (contains(kFree, key)) return true;
  if (std::ranges::any_of(kFreeSections, [&](std::string_view section) { return key.starts_with(section); }))
    return true;
  if (key == "siit.iterations") return iterations_still_open(state, options);
  return not_used_yet(key, state) || may_reset_length(key, state, options);
}

bool tokenizer_may_change(const std::string& key, std::int64_t epochs, const ProgramOptions& options) {
  if (contains(kFixedOfRun, key)) return false;
  if (!key.starts_with("tokenizer.") && !key.starts_with("letter.")) return true;
  if (contains(kFreeOfTokenizer, key)) return true;
  const RqvaeOptions& tokenizer = options.tokenizer.rqvae;
  return key == "tokenizer.epochs" && tokenizer.epochs >= epochs &&
         !rate_depends_on_length(tokenizer.schedule, tokenizer.warmup);
}

}  // namespace genrec
