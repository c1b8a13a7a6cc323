#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "io/json_file.h"

namespace genrec {

/// What comes next. The order of one iteration is align, regenerate, fine-tune; warm-up is iteration 0.
enum class SiitStage { kWarmup, kAlign, kRegenerate, kFinetune, kTest, kDone };
[[nodiscard]] const char* stage_name(SiitStage stage);
[[nodiscard]] std::optional<SiitStage> stage_named(std::string_view name);

/// Seconds of each stage of an iteration.
struct StageSeconds {
  double train = 0, align = 0, regenerate = 0, assign = 0, evaluate = 0;
};

/// What an iteration did; iteration 0 is the warm-up on the initial identifiers. All rates are fractions.
struct IterationRecord {
  int iteration = 0;
  double collision_rate = 0;        ///< (items - distinct) / items before collision avoidance
  double collision_rate_final = 0;  ///< after it
  double overflow_rate = 0;         ///< items all of whose candidates were taken
  double adjustment_ratio = 0;      ///< items whose identifier changed, avoidance symbols disregarded
  double semantic_identifier_similarity = 0;
  std::string identifiers_sha256;
  Metrics valid;
  StageSeconds seconds;
};

/// Where the loop stands: enough, with the weights and tables of the checkpoint, to go on.
struct SiitState {
  SiitStage stage = SiitStage::kWarmup;
  int iteration = 0;
  int best_iteration = -1;
  double best_score = -1;
  std::vector<IterationRecord> records;
  Metrics test, test_by_identifier;
  // For rates that a stop and a resume do not change.
  std::int64_t trained_samples = 0;  ///< of recommendation
  std::int64_t decoded_users = 0;
  double decoding_seconds = 0;
};

/// Training samples and regenerated items a second, over all finished stages; 0 before there are any.
[[nodiscard]] double train_samples_per_s(const SiitState& state);
[[nodiscard]] double regenerate_items_per_s(const SiitState& state, std::int64_t items);
[[nodiscard]] double decode_users_per_s(const SiitState& state);

[[nodiscard]] Json to_json(const IterationRecord& record);
[[nodiscard]] Json to_json(const SiitState& state);
/// Throws DataError when a field is absent.
[[nodiscard]] SiitState siit_state_from_json(const Json& json);

}  // namespace genrec
