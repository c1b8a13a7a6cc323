#include "siit/siit_state.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/stopwatch.h"

namespace genrec {
namespace {

constexpr std::array kStages = {"warm-up", "align", "regenerate", "fine-tune", "test", "done"};

Json seconds_json(const StageSeconds& s) {
  return {{"train", s.train},
          {"align", s.align},
          {"regenerate", s.regenerate},
          {"assign", s.assign},
          {"evaluate", s.evaluate}};
}

Metrics metrics_of(const Json& json) {
  Metrics metrics;
  for (const auto& [name, value] : json.items()) metrics[name] = value.get<double>();
  return metrics;
}

IterationRecord record_from(const Json& json) {
  IterationRecord r;
  r.iteration = json.at("iteration").get<int>();
  r.collision_rate = json.at("collision_rate").get<double>();
  r.collision_rate_final = json.at("collision_rate_final").get<double>();
  r.overflow_rate = json.at("overflow_rate").get<double>();
  r.adjustment_ratio = json.at("adjustment_ratio").get<double>();
  r.semantic_identifier_similarity = json.at("semantic_identifier_similarity").get<double>();
  r.identifiers_sha256 = json.at("identifiers_sha256").get<std::string>();
  r.valid = metrics_of(json.at("valid"));
  const Json& s = json.at("seconds");
  r.seconds = {s.at("train").get<double>(), s.at("align").get<double>(), s.at("regenerate").get<double>(),
               s.at("assign").get<double>(), s.at("evaluate").get<double>()};
  return r;
}

}  // namespace

const char* stage_name(SiitStage stage) {
  return kStages[static_cast<std::size_t>(stage)];
}

std::optional<SiitStage> stage_named(std::string_view name) {
  const auto found =
      std::ranges::find(kStages, name, [](const char* stage) { return std::string_view(stage); });
  if (found == kStages.end()) return std::nullopt;
  return static_cast<SiitStage>(found - kStages.begin());
}

Json to_json(const IterationRecord& r) {
  return {{"iteration", r.iteration},
          {"collision_rate", r.collision_rate},
          {"collision_rate_final", r.collision_rate_final},
          {"overflow_rate", r.overflow_rate},
          {"adjustment_ratio", r.adjustment_ratio},
          {"semantic_identifier_similarity", r.semantic_identifier_similarity},
          {"identifiers_sha256", r.identifiers_sha256},
          {"valid", Json(r.valid)},
          {"seconds", seconds_json(r.seconds)}};
}

Json to_json(const SiitState& state) {
  Json records = Json::array();
  for (const auto& record : state.records) records.push_back(to_json(record));
  return {{"stage", stage_name(state.stage)},
          {"iteration", state.iteration},
          {"best_iteration", state.best_iteration},
          {"best_score", state.best_score},
          {"records", records},
          {"test", Json(state.test)},
          {"test_by_identifier", Json(state.test_by_identifier)},
          {"trained_samples", state.trained_samples},
          {"decoded_users", state.decoded_users},
          {"decoding_seconds", state.decoding_seconds}};
}

SiitState siit_state_from_json(const Json& json) {
  try {
    SiitState state;
    const auto name = json.at("stage").get<std::string>();
    const std::optional<SiitStage> stage = stage_named(name);
    if (!stage) throw DataError("checkpoint: unknown stage '" + name + "' in its progress");
    state.stage = *stage;
    state.iteration = json.at("iteration").get<int>();
    state.best_iteration = json.at("best_iteration").get<int>();
    state.best_score = json.at("best_score").get<double>();
    for (const auto& record : json.at("records")) state.records.push_back(record_from(record));
    state.test = metrics_of(json.at("test"));
    state.test_by_identifier = metrics_of(json.at("test_by_identifier"));
    state.trained_samples = json.value("trained_samples", std::int64_t{0});
    state.decoded_users = json.value("decoded_users", std::int64_t{0});
    state.decoding_seconds = json.value("decoding_seconds", 0.0);
    return state;
  } catch (const nlohmann::json::exception& error) {
    throw DataError(std::string("checkpoint: its progress is not SIIT's: ") + error.what());
  }
}

double train_samples_per_s(const SiitState& state) {
  double seconds = 0;
  for (const IterationRecord& record : state.records) seconds += record.seconds.train;
  return per_second(static_cast<double>(state.trained_samples), seconds);
}

double regenerate_items_per_s(const SiitState& state, std::int64_t items) {
  double seconds = 0, regenerated = 0;
  for (const IterationRecord& record : state.records) {
    if (record.seconds.regenerate > 0) regenerated += static_cast<double>(items);
    seconds += record.seconds.regenerate;
  }
  return per_second(regenerated, seconds);
}

double decode_users_per_s(const SiitState& state) {
  return per_second(static_cast<double>(state.decoded_users), state.decoding_seconds);
}

}  // namespace genrec
