#include "training/checkpoint.h"

#include "base/error.h"
#include "data/readers/hdf5_dataset.h"
#include "io/hdf5.h"
#include "tokenizers/identifier_hdf5.h"
#include "tokenizers/rqvae/rqvae_state.h"

namespace genrec {
namespace {

constexpr std::int64_t kSchemaVersion = 1;
constexpr const char* kWriter = "genrec_dist";
constexpr const char* kCandidates = "/items/candidates";
constexpr const char* kRegenerated = "regenerated";
constexpr const char* kCodebooks = "/tokenizer/codebooks";
constexpr const char* kSpiece = "/tokenizer/spiece";
constexpr const char* kTemplates = "/tokenizer/templates";

void write_weights(Hdf5Writer& file, const std::string& group, const WeightMap& weights) {
  for (const auto& [name, array] : weights) file.write(group + "/" + name, array);
}

WeightMap read_weights(const Hdf5Reader& file, const std::string& group) {
  WeightMap weights;
  for (const std::string& name : file.list(group)) weights.emplace(name, file.read(group + "/" + name));
  return weights;
}

std::string read_spiece(const Hdf5Reader& file) {
  const auto bytes = file.read<std::uint8_t>(kSpiece);
  return {bytes.begin(), bytes.end()};
}

std::string history_group(std::size_t iteration) {
  return "/items/history/iteration_" + std::to_string(iteration);
}

void write_progress(Hdf5Writer& file, const CheckpointState& state) {
  file.write_text("/progress/dataset", state.dataset);
  file.write_text("/progress/fingerprint", state.fingerprint);
  file.write_text("/progress/stage", state.stage);
  file.write_text("/progress/loop", state.loop);
  file.attribute("/progress", "step", state.step);
  file.attribute("/progress", "iteration", state.iteration);
  file.attribute("/progress", "epoch", state.position.epoch);
  file.attribute("/progress", "epoch_step", state.position.step);
  file.attribute("/progress", "stage_step", state.position.stage_step);
  if (state.regenerated > 0) file.attribute("/progress", kRegenerated, state.regenerated);
}

void read_progress(const Hdf5Reader& file, CheckpointState& state) {
  state.dataset = file.read_text("/progress/dataset");
  state.fingerprint = file.read_text("/progress/fingerprint");
  state.stage = file.read_text("/progress/stage");
  state.loop = file.read_text("/progress/loop");
  state.step = file.integer_attribute("/progress", "step");
  state.iteration = file.integer_attribute("/progress", "iteration");
  state.position.epoch = file.integer_attribute("/progress", "epoch");
  state.position.step = file.integer_attribute("/progress", "epoch_step");
  state.position.stage_step = file.integer_attribute("/progress", "stage_step");
  if (file.has_attribute("/progress", kRegenerated)) {
    state.regenerated = file.integer_attribute("/progress", kRegenerated);
  }
}

void check_schema(const Hdf5Reader& file) {
  const std::string path = file.path().string();
  if (!file.has_attribute("/", "schema_version") || !file.has("/progress/stage")) {
    throw DataError(path + ": is no checkpoint of " + kWriter + "; give one of a run's checkpoints/ folder");
  }
  const std::int64_t version = file.integer_attribute("/", "schema_version");
  if (version != kSchemaVersion) {
    throw DataError(path + ": schema_version is " + std::to_string(version) + ", expected " +
                    std::to_string(kSchemaVersion) + "; read it with the program that wrote it");
  }
  if (!file.has_attribute("/", "complete") || file.integer_attribute("/", "complete") != 1) {
    throw InputOutputError(path + ": was not written to its end; take an older checkpoint");
  }
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const CheckpointState& state) {
  Hdf5Writer file(path);
  file.attribute("/", "schema_version", kSchemaVersion);
  file.attribute("/", "git", state.git);
  file.write_text("/config", state.config);
  file.write_text("/model_config", state.model_config);
  file.write("/rng/seed", std::vector<std::uint64_t>{state.seed});
  write_progress(file, state);
  write_weights(file, "/model", state.model);
  write_weights(file, "/aligned", state.aligned);
  write_weights(file, kCandidates, state.candidates);
  if (state.optimizer) {
    write_weights(file, "/optimizer/exp_avg", state.optimizer->exp_avg);
    write_weights(file, "/optimizer/exp_avg_sq", state.optimizer->exp_avg_sq);
    file.attribute("/optimizer", "step", state.optimizer->step);
  }
  file.write_strings("/tokenizer/vocabulary", state.vocabulary);
  file.attribute("/tokenizer", "text_pieces", static_cast<std::int64_t>(state.text_pieces));
  file.write(kSpiece, std::vector<std::uint8_t>(state.spiece.begin(), state.spiece.end()));
  if (!state.templates.empty()) file.write_strings(kTemplates, state.templates);
  if (!state.codebooks.shape.empty()) write_codebooks(file, kCodebooks, state.codebooks);
  write_identifiers(file, kIdentifierGroup, state.identifiers);
  for (std::size_t k = 0; k < state.history.size(); ++k)
    write_identifiers(file, history_group(k), state.history[k]);
  file.commit();
}

CheckpointState read_checkpoint(const std::filesystem::path& path, CheckpointParts parts) {
  const Hdf5Reader file(path);
  check_schema(file);
  CheckpointState state;
  state.git = file.text_attribute("/", "git");
  state.config = file.read_text("/config");
  state.model_config = file.read_text("/model_config");
  state.seed = file.read<std::uint64_t>("/rng/seed").at(0);
  read_progress(file, state);
  state.model = read_weights(file, "/model");
  state.spiece = read_spiece(file);
  if (file.has(kTemplates)) state.templates = file.read_strings(kTemplates);
  state.vocabulary = file.read_strings("/tokenizer/vocabulary");
  state.text_pieces = static_cast<TokenId>(file.integer_attribute("/tokenizer", "text_pieces"));
  state.codebooks = read_codebooks(file, kCodebooks);
  state.identifiers = read_identifiers(file, kIdentifierGroup);
  if (parts == CheckpointParts::kModel) return state;

  state.aligned = read_weights(file, "/aligned");
  state.candidates = read_weights(file, kCandidates);
  if (file.has("/optimizer")) {
    state.optimizer.emplace();
    state.optimizer->exp_avg = read_weights(file, "/optimizer/exp_avg");
    state.optimizer->exp_avg_sq = read_weights(file, "/optimizer/exp_avg_sq");
    state.optimizer->step = file.integer_attribute("/optimizer", "step");
  }
  for (std::size_t k = 0; file.has(history_group(k)); ++k)
    state.history.push_back(read_identifiers(file, history_group(k)));
  return state;
}

std::string read_text_model(const std::filesystem::path& path) {
  const Hdf5Reader file(path);
  check_schema(file);
  return read_spiece(file);
}

void require_dataset(const CheckpointState& state, const std::string& fingerprint, const std::string& dataset,
                     const std::filesystem::path& path) {
  if (state.fingerprint == fingerprint) return;
  throw DataError(path.string() + ": is a checkpoint of another dataset ('" + state.dataset +
                  "', fingerprint " + state.fingerprint.substr(0, 12) + "; this run reads '" + dataset +
                  "', fingerprint " + fingerprint.substr(0, 12) +
                  "); give the same data options, or another run.dir");
}

}  // namespace genrec
