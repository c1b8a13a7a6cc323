#include "model/huggingface.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <vector>

#include "base/error.h"
#include "io/files.h"
#include "io/safetensors.h"
#include "model/new_rows.h"

namespace genrec {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::int64_t n : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
  return text + "]";
}

/// Names under which Hugging Face files repeat the shared embedding.
const std::set<std::string>& copies_of_shared() {
  static const std::set<std::string> names{"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"};
  return names;
}

void check_copy(const std::string& name, const HostArray& copy, const HostArray& shared,
                const std::string& origin) {
  if (copy.to_float() != shared.to_float()) {
    throw DataError(origin + ": \"" + name +
                    "\" differs from \"shared.weight\"; expected equal tensors "
                    "(tied embeddings): save the model again with transformers");
  }
}

bool is_embedding(const std::string& name) {
  return name == "shared.weight" || name == "lm_head.weight";
}

/// Rows of the tensor to copy; -1 when it does not fit. Only embeddings may have another number of rows.
std::int64_t rows_to_copy(const ParameterStore::Entry& entry, const HostArray& from,
                          const std::optional<KnownRows>& known) {
  const bool embedding = is_embedding(entry.name) && from.shape.size() == 2 &&
                         from.shape[1] == entry.shape[1] && from.shape[0] > 0;
  if (!embedding) return from.shape == entry.shape ? entry.shape[0] : -1;
  if (known) return std::min({known->text, from.shape[0], entry.shape[0]});
  return from.shape[0] <= entry.shape[0] ? from.shape[0] : -1;
}

void copy_symbols(at::Tensor& to, const at::Tensor& from, const std::vector<KnownRows::Move>& symbols,
                  const std::string& origin) {
  for (const KnownRows::Move& row : symbols) {
    if (row.from >= from.size(0) || row.to >= to.size(0)) {
      throw DataError(origin + ": its embedding has " + std::to_string(from.size(0)) +
                      " rows; expected row " + std::to_string(row.from) +
                      ", which added_tokens.json names: take all files of one export");
    }
    to[row.to].copy_(from[row.from]);
  }
}

void copy_in(at::Tensor to, const ParameterStore::Entry& entry, const HostArray& from,
             const std::string& name, const std::string& origin, std::uint64_t seed,
             const std::optional<KnownRows>& known) {
  const std::int64_t rows = rows_to_copy(entry, from, known);
  if (rows < 0) {
    throw DataError(origin + ": \"" + name + "\" has shape " + shape_text(from.shape) + "; expected " +
                    shape_text(entry.shape) + ": the weights belong to another model configuration");
  }
  std::vector<float> values = from.to_float();
  if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); })) {
    throw DataError(
        origin + ": \"" + name +
        "\" holds values that are not finite: the training that wrote it diverged; take other weights");
  }
  const at::Tensor host = at::from_blob(values.data(), from.shape, at::kFloat);
  to.narrow(0, 0, rows).copy_(host.narrow(0, 0, rows));
  if (rows < entry.shape[0]) draw_new_rows(to, rows, host, seed, entry.name == "lm_head.weight" ? 1 : 0);
  if (known && is_embedding(entry.name)) copy_symbols(to, host, known->symbols, origin);
}

}  // namespace

void load_weights(T5Model& model, const std::map<std::string, HostArray>& tensors, const std::string& origin,
                  std::uint64_t seed, const std::optional<KnownRows>& known) {
  ParameterStore& store = model.parameters();
  std::set<std::string> used;
  const auto shared = tensors.find("shared.weight");
  for (std::size_t i = 0; i < store.entries().size(); ++i) {
    const ParameterStore::Entry& entry = store.entries()[i];
    auto found = tensors.find(entry.name);
    if (found == tensors.end() && entry.name == "shared.weight") {
      found = std::find_if(tensors.begin(), tensors.end(),
                           [](const auto& t) { return copies_of_shared().contains(t.first); });
    }
    if (found == tensors.end() && entry.name == "lm_head.weight") found = shared;
    if (found == tensors.end()) {
      throw DataError(origin + ": tensor \"" + entry.name + "\" is missing; expected every weight of a " +
                      "T5ForConditionalGeneration with this config.json");
    }
    copy_in(store.value(i), entry, found->second, found->first, origin, seed, known);
    used.insert(found->first);
  }
  for (const auto& [name, array] : tensors) {
    if (used.contains(name)) continue;
    const bool tied_head = name == "lm_head.weight" && model.config().tied_head;
    if ((!tied_head && !copies_of_shared().contains(name)) || shared == tensors.end()) {
      throw DataError(origin + ": unknown tensor \"" + name +
                      "\"; expected the weights of a T5 with this config.json");
    }
    check_copy(name, array, shared->second, origin);
  }
  store.refresh_compute();
}

std::unique_ptr<T5Model> load_huggingface(const std::filesystem::path& folder, at::Device device,
                                          Precision precision) {
  auto model = std::make_unique<T5Model>(T5Config::from_file(folder / "config.json"), device, precision);
  load_weights(*model, read_safetensors(folder), folder.string(), 0);
  return model;
}

std::map<std::string, HostArray> weights_to_host(const T5Model& model) {
  std::map<std::string, HostArray> arrays;
  const ParameterStore& store = model.parameters();
  for (std::size_t i = 0; i < store.entries().size(); ++i) {
    const ParameterStore::Entry& entry = store.entries()[i];
    const at::Tensor host = store.value(i).to(at::kCPU).contiguous();
    const std::span<const float> values(host.const_data_ptr<float>(), static_cast<std::size_t>(entry.count));
    arrays.emplace(entry.name, HostArray::of<float>(values, entry.shape));
  }
  return arrays;
}

void save_huggingface(const T5Model& model, const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) {
    throw InputOutputError("cannot make the folder " + folder.string() + ": " + failed.message() +
                           "; choose a folder that can be written");
  }
  write_file_atomically(folder / "config.json", model.config().to_json());
  write_file_atomically(
      folder / "generation_config.json",
      "{\n  \"decoder_start_token_id\": 0,\n  \"eos_token_id\": 1,\n  \"pad_token_id\": 0\n}\n");
  write_safetensors(folder / "model.safetensors", weights_to_host(model));
}

}  // namespace genrec
