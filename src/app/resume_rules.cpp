#include "app/resume_rules.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "optim/schedule.h"

namespace genrec {
namespace {

/// These say where and how a run computes, not what. The dataset is compared by its fingerprint, the text
/// model by its bytes.
constexpr std::array<std::string_view, 12> kFree = {
    "data.dir",         "data.name",        "data.file",
    "text.spiece",      "train.hash-every", "train.microbatch-tokens",
    "siit.stop-before", "eval.split",       "eval.baselines",
    "decode.batch",     "recommend.users",  "recommend.output"};
constexpr std::array<std::string_view, 2> kFixedOfRun = {"run.seed", "run.precision"};

constexpr std::array<std::string_view, 6> kStages = {"warm-up",   "align", "regenerate",
                                                     "fine-tune", "test",  "done"};

struct FirstUse {
  std::string_view key, stage;
};
/// What the first iteration of SIIT uses only from a later stage on.
constexpr std::array<FirstUse, 6> kUsedLater = {{{"siit.align-epochs", "align"},
                                                 {"siit.candidates", "regenerate"},
                                                 {"siit.strategy", "regenerate"},
                                                 {"siit.order", "regenerate"},
                                                 {"siit.finetune-epochs", "fine-tune"},
                                                 {"siit.continue-from", "fine-tune"}}};

struct StageLength {
  std::string_view key, stage;
  std::int64_t epochs;
};

template <typename Range>
std::ptrdiff_t place_of(const Range& range, const std::string_view name) {
  return std::ranges::find(range, name) - range.begin();
}

template <std::size_t n>
bool contains(const std::array<std::string_view, n>& keys, const std::string& key) {
  return std::ranges::find(keys, key) != keys.end();
}

bool not_used_yet(const std::string& key, const CheckpointState& state) {
  const auto use = std::ranges::find(kUsedLater, key, &FirstUse::key);
  if (use == kUsedLater.end() || state.iteration > 1) return false;
  const std::ptrdiff_t now = place_of(kStages, state.stage), first = place_of(kStages, use->stage);
  return now < first || (now == first && state.position == TrainPosition{});
}

/// A stage in work may become longer, unless its learning rate has followed the old length.
bool lengthens_present_stage(const std::string& key, const CheckpointState& state,
                             const ProgramOptions& options) {
  const std::array<StageLength, 4> lengths = {
      {{"siit.warmup-epochs", "warm-up", options.siit.warmup_epochs},
       {"siit.align-epochs", "align", options.siit.align_epochs},
       {"siit.finetune-epochs", "fine-tune", options.siit.finetune_epochs},
       {"train.epochs", "train", options.train.epochs}}};
  const auto length = std::ranges::find(lengths, key, &StageLength::key);
  if (length == lengths.end() || length->stage != state.stage || state.iteration > 1) return false;
  const std::int64_t begun = state.position.epoch + (state.position.step > 0 ? 1 : 0);
  return length->epochs >= begun && !rate_depends_on_length(options.train.schedule, options.train.warmup);
}

/// The last iteration is decided at its validation.
bool iterations_still_open(const CheckpointState& state, const ProgramOptions& options) {
  return place_of(kStages, state.stage) < place_of(kStages, "test") &&
         options.siit.iterations >= state.iteration;
}

}  // namespace

bool may_change(const std::string& key, const CheckpointState& state, const ProgramOptions& options) {
  if (key.starts_with("run.")) return !contains(kFixedOfRun, key);
  if (contains(kFree, key)) return true;
  if (key == "siit.iterations") return iterations_still_open(state, options);
  return not_used_yet(key, state) || lengthens_present_stage(key, state, options);
}

}  // namespace genrec
