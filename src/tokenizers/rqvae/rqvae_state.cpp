#include "tokenizers/rqvae/rqvae_state.h"

#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"

namespace genrec {
namespace {

constexpr char kCodebooks[] = "quantizer.codebooks";
constexpr char kClusters[] = "/training/code_clusters";
constexpr char kStepsOfEpoch[] = "steps_of_epoch";
constexpr std::pair<const char*, double RqvaeLosses::*> kLosses[] = {
    {"reconstruction_loss", &RqvaeLosses::reconstruction},
    {"quantization_loss", &RqvaeLosses::quantization},
    {"collaborative_loss", &RqvaeLosses::collaborative},
    {"diversity_loss", &RqvaeLosses::diversity},
    {"loss", &RqvaeLosses::total},
};

std::string sum_of(const char* loss) {
  return std::string("sum_of_") + loss;
}

void write_arrays(Hdf5Writer& file, const std::string& group, const ParameterArrays& arrays) {
  for (const auto& [name, array] : arrays) file.write(group + "/" + name, array);
}

ParameterArrays read_arrays(const Hdf5Reader& file, const std::string& group) {
  ParameterArrays arrays;
  for (const std::string& name : file.list(group)) arrays.emplace(name, file.read(group + "/" + name));
  return arrays;
}

void require_same(const std::string& then, const std::string& now, const std::string& what) {
  if (then == now) return;
  const auto shown = [](const std::string& sha) { return sha.empty() ? "none" : sha.substr(0, 12); };
  throw DataError("tokenizer: the state was trained on other " + what + " (sha256 " + shown(then) + ", now " +
                  shown(now) + "); give the same ones, or start anew");
}

}  // namespace

void require_same_vectors(const RqvaeState& state, const std::string& embeddings_sha256,
                          const std::string& cf_sha256) {
  require_same(state.embeddings_sha256, embeddings_sha256, "embeddings");
  require_same(state.cf_sha256, cf_sha256, "collaborative vectors");
}

ParameterArrays arrays_of(const at::Tensor& flat, const ParameterStore& store) {
  const at::Tensor host = flat.cpu();
  const auto* first = host.const_data_ptr<float>();
  ParameterArrays arrays;
  for (const ParameterStore::Entry& entry : store.entries()) {
    const std::span<const float> values(first + entry.offset, static_cast<std::size_t>(entry.count));
    arrays.emplace(entry.name, HostArray::of<float>(values, entry.shape));
  }
  return arrays;
}

void fill_from_arrays(const ParameterArrays& arrays, const ParameterStore& store, const std::string& what,
                      at::Tensor flat) {
  at::Tensor host = at::zeros({flat.numel()}, at::kFloat);
  for (const ParameterStore::Entry& entry : store.entries()) {
    const auto found = arrays.find(entry.name);
    if (found == arrays.end()) {
      throw DataError(what + ": lacks parameter " + entry.name + "; it is of a tokenizer of other layers");
    }
    if (found->second.shape != entry.shape) {
      throw DataError(what + ", parameter " + entry.name + ": has shape " +
                      text_of_shape(found->second.shape) + " where " + text_of_shape(entry.shape) +
                      " was expected; use the embeddings and options that it was made with");
    }
    const auto values = found->second.as<float>();
    std::memcpy(host.data_ptr<float>() + entry.offset, values.data(), values.size_bytes());
  }
  flat.copy_(host);
}

const HostArray& codebooks_of(const RqvaeState& state) {
  return (state.best.empty() ? state.values : state.best).at(kCodebooks);
}

void write_codebooks(Hdf5Writer& file, const std::string& group, const HostArray& codebooks) {
  const auto values = codebooks.as<float>();
  const std::int64_t levels = codebooks.shape[0], count = codebooks.shape[1] * codebooks.shape[2];
  for (std::int64_t level = 0; level < levels; ++level) {
    const auto part =
        values.subspan(static_cast<std::size_t>(level * count), static_cast<std::size_t>(count));
    std::string object = group;
    object.append("/").append(std::to_string(level));
    file.write<float>(object, part, {codebooks.shape[1], codebooks.shape[2]});
  }
}

HostArray read_codebooks(const Hdf5Reader& file, const std::string& group) {
  std::vector<float> values;
  std::vector<std::int64_t> shape;
  std::int64_t levels = 0;
  for (std::string object = group + "/0"; file.has(object); object = group + "/" + std::to_string(levels)) {
    const std::vector<float> part = file.read<float>(object);
    if (shape.empty()) shape = file.shape(object);
    if (shape != file.shape(object) || shape.size() != 2) {
      throw DataError(file.path().string() + ", " + object +
                      ": all codebooks of a tokenizer are tables of one shape; make it anew");
    }
    values.insert(values.end(), part.begin(), part.end());
    ++levels;
  }
  if (levels == 0) return {};
  return HostArray::of<float>(values, {levels, shape[0], shape[1]});
}

void write_rqvae(Hdf5Writer& file, const std::string& group, const RqvaeState& state, bool training) {
  for (const auto& [name, array] : state.best.empty() ? state.values : state.best) {
    if (name == kCodebooks) {
      write_codebooks(file, group + "/codebooks", array);
    } else {
      file.write(group + "/model/" + name, array);
    }
  }
  file.attribute(group, "epoch", state.epoch);
  file.attribute(group, "steps", state.steps);
  file.attribute(group, "best_epoch", state.best_score.epoch);
  file.attribute(group, "best_collision_rate", state.best_score.collision_rate);
  file.attribute(group, "best_loss", state.best_score.loss);
  for (const auto& [name, member] : kLosses) file.attribute(group, name, state.losses.*member);
  if (state.steps_of_epoch > 0) {
    file.attribute(group, kStepsOfEpoch, state.steps_of_epoch);
    for (const auto& [name, member] : kLosses) file.attribute(group, sum_of(name), state.sums.*member);
  }
  file.attribute(group, "embeddings_sha256", state.embeddings_sha256);
  file.attribute(group, "cf_sha256", state.cf_sha256);
  if (!training) return;
  write_arrays(file, group + "/training/values", state.values);
  write_arrays(file, group + "/training/exp_avg", state.exp_avg);
  write_arrays(file, group + "/training/exp_avg_sq", state.exp_avg_sq);
  if (!state.code_clusters.shape.empty()) file.write(group + kClusters, state.code_clusters);
}

RqvaeState read_rqvae(const Hdf5Reader& file, const std::string& group) {
  RqvaeState state;
  ParameterArrays chosen = read_arrays(file, group + "/model");
  HostArray codebooks = read_codebooks(file, group + "/codebooks");
  if (codebooks.shape.empty()) {
    throw DataError(file.path().string() + ", group " + group +
                    ": holds no codebooks; name a checkpoint of method tiger or letter");
  }
  chosen.emplace(kCodebooks, std::move(codebooks));
  state.epoch = file.integer_attribute(group, "epoch");
  state.steps = file.integer_attribute(group, "steps");
  state.best_score.epoch = file.integer_attribute(group, "best_epoch");
  state.best_score.collision_rate = file.real_attribute(group, "best_collision_rate");
  state.best_score.loss = file.real_attribute(group, "best_loss");
  for (const auto& [name, member] : kLosses) {
    if (file.has_attribute(group, name)) state.losses.*member = file.real_attribute(group, name);
  }
  if (file.has_attribute(group, kStepsOfEpoch)) {
    state.steps_of_epoch = file.integer_attribute(group, kStepsOfEpoch);
    for (const auto& [name, member] : kLosses) state.sums.*member = file.real_attribute(group, sum_of(name));
  }
  state.embeddings_sha256 = file.text_attribute(group, "embeddings_sha256");
  if (file.has_attribute(group, "cf_sha256")) state.cf_sha256 = file.text_attribute(group, "cf_sha256");
  state.values = read_arrays(file, group + "/training/values");
  state.exp_avg = read_arrays(file, group + "/training/exp_avg");
  state.exp_avg_sq = read_arrays(file, group + "/training/exp_avg_sq");
  if (file.has(group + kClusters)) state.code_clusters = file.read(group + kClusters);
  if (state.values.empty()) state.values = chosen;
  if (state.best_score.epoch >= 0) state.best = std::move(chosen);
  return state;
}

}  // namespace genrec
