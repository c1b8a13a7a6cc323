// hf_parity FOLDER [--composite | --cuda]: compares with Hugging Face's T5 (see the fixtures' README). Exit
// code 0 when every difference is within 1e-5, 77 when --cuda finds no GPU. --composite: by ATen operations
// instead of the CPU kernels. --cuda: on the first GPU.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>

#include "fixture.h"
#include "model/huggingface.h"
#include "nn/packed.h"
#include "nn/relative_bias.h"
#include "optim/adamw.h"

namespace genrec::parity {
namespace {

constexpr double kLimit = 1e-5;

/// Rows of a packed tensor against the used rows of a padded [sequences, width, n] array.
void compare_rows(const std::string& what, const at::Tensor& packed, const std::vector<float>& padded,
                  const std::vector<std::int64_t>& lengths, std::int64_t width, Errors& errors) {
  const std::int64_t n = packed.size(1);
  const at::Tensor host = packed.cpu();
  const auto* ours = host.const_data_ptr<float>();
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    const float* theirs = padded.data() + static_cast<std::int64_t>(s) * width * n;
    for (std::int64_t i = 0; i < lengths[s] * n; ++i) errors.note(what, *ours++, theirs[i]);
  }
}

/// One of the fixture's concatenated parameter vectors, cut by name.
std::map<std::string, std::vector<float>> by_name(const Hdf5Reader& file, const std::string& group,
                                                  const std::string& object) {
  const std::vector<std::string> names = file.read_strings(group + "/names");
  const std::vector<std::int64_t> sizes = file.read_integers(group + "/sizes");
  const std::vector<float> all = file.read<float>(group + "/" + object);
  std::map<std::string, std::vector<float>> parts;
  auto at = all.begin();
  for (std::size_t i = 0; i < names.size(); ++i) {
    parts[names[i]] = std::vector<float>(at, at + sizes[i]);
    at += sizes[i];
  }
  return parts;
}

void compare_parameters(const std::string& what, const ParameterStore& store, const at::Tensor& flat,
                        double scale, const std::map<std::string, std::vector<float>>& theirs,
                        Errors& errors) {
  if (theirs.size() != store.entries().size()) errors.fail(what, "another number of parameters");
  const at::Tensor host = flat.cpu();
  const auto* ours = host.const_data_ptr<float>();
  for (const ParameterStore::Entry& entry : store.entries()) {
    const auto found = theirs.find(entry.name);
    if (found == theirs.end() || static_cast<std::int64_t>(found->second.size()) != entry.count) {
      errors.fail(what, entry.name + " is absent or of another size");
      continue;
    }
    for (std::int64_t i = 0; i < entry.count; ++i) {
      errors.note(what, static_cast<double>(ours[entry.offset + i]) * scale,
                  found->second[static_cast<std::size_t>(i)]);
    }
  }
}

void compare_steps(const Hdf5Reader& file, const std::string& group, T5Model& model, const Fixture& fixture,
                   Errors& errors) {
  const std::string adamw = group + "/adamw";
  const double lr = file.real_attribute(adamw, "lr"), clip = file.real_attribute(adamw, "clip");
  const std::vector<double> losses = file.read<double>(adamw + "/losses");
  const std::vector<double> norms = file.read<double>(adamw + "/gradient_norms");
  AdamW optimizer(model.parameters(), {.beta1 = file.real_attribute(adamw, "beta1"),
                                       .beta2 = file.real_attribute(adamw, "beta2"),
                                       .epsilon = file.real_attribute(adamw, "eps"),
                                       .weight_decay = file.real_attribute(adamw, "weight_decay")});
  for (std::size_t step = 0; step < losses.size(); ++step) {
    model.parameters().flat_gradients().zero_();
    const LossSum loss = model.accumulate_gradients(fixture.batch, TrainingPass());
    const auto tokens = static_cast<double>(loss.tokens);
    const double norm = gradient_norm(model.parameters()) / tokens;
    errors.note("adamw loss (relative)", loss.sum / tokens / losses[step], 1);
    errors.note("adamw gradient norm (relative)", norm / norms[step], 1);
    // torch's clip_grad_norm_ divides by the norm plus 1e-6.
    optimizer.step(lr, std::min(1.0, clip / (norm + 1e-6)) / tokens);
  }
  const ParameterStore& store = model.parameters();
  compare_parameters("adamw parameter", store, store.flat_values(), 1,
                     by_name(file, group, "adamw/parameter"), errors);
}

void compare_decay_rule(const Hdf5Reader& file, const std::string& group, const ParameterStore& store,
                        Errors& errors) {
  const std::vector<std::string> names = file.read_strings(group + "/names");
  const std::vector<std::int64_t> decayed = file.read_integers(group + "/adamw/decayed");
  for (std::size_t i = 0; i < names.size(); ++i) {
    errors.note("adamw decayed", store.entries()[store.index(names[i])].decays ? 1 : 0,
                static_cast<double>(decayed[i]));
  }
}

/// Decoding step by step gives the logits of teacher forcing.
void compare_cached(const T5Model& model, const Fixture& fixture, Errors& errors) {
  const PackedSequences& target = fixture.batch.target;
  const at::Tensor log_p = at::log_softmax(model.logits(fixture.batch), -1).cpu();
  const auto state = model.start_decoding(fixture.batch.source);
  std::vector<TokenId> tokens(fixture.target_lengths.size(), kPadToken);
  std::vector<std::int32_t> parents(tokens.size(), 0), sequences(tokens.size());
  for (std::size_t s = 0; s < tokens.size(); ++s) parents[s] = sequences[s] = static_cast<std::int32_t>(s);
  for (std::int64_t step = 0; step < fixture.target_width; ++step) {
    const at::Tensor hidden = model.decode_step(*state, tokens, parents, sequences);
    std::vector<std::int64_t> offsets{0};
    std::vector<TokenId> wanted;
    for (std::size_t s = 0; s < tokens.size(); ++s) {
      // A finished sequence goes on with its last token; nothing is compared.
      const std::int64_t at = target.offsets[s] + std::min(step, fixture.target_lengths[s] - 1);
      wanted.push_back(target.tokens[static_cast<std::size_t>(at)]);
      offsets.push_back(static_cast<std::int64_t>(wanted.size()));
    }
    std::vector<float> scores(wanted.size());
    model.score(hidden, offsets, wanted, scores);
    for (std::size_t s = 0; s < tokens.size(); ++s) {
      tokens[s] = wanted[s];
      if (step >= fixture.target_lengths[s]) continue;
      errors.note("cached = uncached decoding", scores[s],
                  log_p[target.offsets[s] + step][wanted[s]].item<double>());
    }
  }
}

bool compare_variant(const std::filesystem::path& folder, const Hdf5Reader& file, const std::string& name,
                     at::Device device) {
  const std::string group = "/" + name;
  Errors errors;
  const auto model = load_huggingface(folder / name, device, Precision::kFloat32);
  ParameterStore& store = model->parameters();
  const Fixture fixture = read_fixture(file, group);

  compare_parameters("weight", store, store.flat_values(), 1, by_name(file, group, "weight"), errors);
  compare_decay_rule(file, group, store, errors);
  compare_rows("encoder_output", model->encode(fixture.batch.source),
               file.read<float>(group + "/encoder_output"), fixture.source_lengths, fixture.source_width,
               errors);
  compare_rows("logits", model->logits(fixture.batch), file.read<float>(group + "/logits"),
               fixture.target_lengths, fixture.target_width, errors);
  const LossSum loss = model->accumulate_gradients(fixture.batch, TrainingPass());
  const auto tokens = static_cast<double>(loss.tokens);
  errors.note("loss", loss.sum / tokens, file.read<double>(group + "/loss").at(0));
  errors.note("loss without gradients", model->loss(fixture.batch).sum / tokens, loss.sum / tokens);
  compare_parameters("gradient", store, store.flat_gradients(), 1 / tokens, by_name(file, group, "gradient"),
                     errors);
  compare_cached(*model, fixture, errors);
  compare_beams(file, group, *model, fixture, errors);
  compare_steps(file, group, *model, fixture, errors);
  return errors.report(name, kLimit);
}

bool compare_buckets(const Hdf5Reader& file) {
  Errors errors;
  const std::vector<std::int64_t> distances =
      file.read_integers("/relative_position_bucket/relative_position");
  for (const bool both : {true, false}) {
    const std::string key = both ? "bidirectional" : "causal";
    const std::vector<std::int64_t> buckets = file.read_integers("/relative_position_bucket/" + key);
    const RelativeBuckets ours{.buckets = 32, .max_distance = 128, .bidirectional = both};
    for (std::size_t i = 0; i < distances.size(); ++i) {
      errors.note(key, static_cast<double>(ours.bucket(distances[i])), static_cast<double>(buckets[i]));
    }
  }
  return errors.report("position buckets", kLimit);
}

}  // namespace
}  // namespace genrec::parity

int main(int argc, char** argv) {
  using namespace genrec;
  const std::string option = argc > 2 ? argv[2] : "";
  if (argc < 2 || argc > 3 || (!option.empty() && option != "--composite" && option != "--cuda")) {
    std::fprintf(stderr, "usage: hf_parity FOLDER [--composite | --cuda]\n");
    return 2;
  }
  const bool cuda = option == "--cuda";
  if (cuda && !at::globalContext().hasCUDA()) {
    std::printf("SKIPPED: no GPU is visible to this program\n");
    return 77;
  }
  try {
    std::optional<ForceComposite> composite;
    if (option == "--composite") composite.emplace();
    const at::Device device = cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
    const std::filesystem::path folder = argv[1];
    const Hdf5Reader file(folder / "t5-tiny.h5");
    bool good = parity::compare_buckets(file);
    int variants = 0;
    for (const std::string& name : file.list("/")) {
      if (!std::filesystem::exists(folder / name / "config.json")) continue;
      ++variants;
      good = parity::compare_variant(folder, file, name, device) && good;
    }
    if (variants == 0) std::printf("no variants in %s\n", folder.c_str());
    good = good && variants > 0;
    std::printf(good ? "all within 1e-5\n" : "NOT within 1e-5\n");
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hf_parity: %s\n", error.what());
    return 1;
  }
}
