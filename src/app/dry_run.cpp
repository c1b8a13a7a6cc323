#include "app/dry_run.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "app/first_identifiers.h"
#include "base/progress.h"
#include "base/stopwatch.h"
#include "training/tasks.h"

namespace genrec {
namespace {

/// A step reaches about this share of the rate of a large product (attention, norms, dropout and the
/// optimiser take the rest).
constexpr double kEfficiency = 0.5;
constexpr int kSampledSamples = 2000;

/// Multiply-adds x 2 of one forward pass.
struct ForwardCost {
  double per_source_token = 0, per_target_token = 0, per_target_output = 0;
};

ForwardCost forward_cost(const T5Config& c, double vocabulary, double source_length) {
  const auto d = static_cast<double>(c.d_model), inner = static_cast<double>(c.inner()),
             ff = static_cast<double>(c.d_ff);
  const double ff_products = (c.gated_gelu ? 3 : 2) * 2 * d * ff;
  const auto encoder = static_cast<double>(c.num_layers), decoder = static_cast<double>(c.num_decoder_layers);
  return {encoder * (8 * d * inner + ff_products + 4 * source_length * inner) + decoder * 4 * d * inner,
          decoder * (12 * d * inner + ff_products + 4 * source_length * inner), 2 * d * vocabulary};
}

/// Floating-point operations a second of a product at the model's typical shape.
double product_rate(const Runtime& runtime) {
  const auto type = runtime.precision == Precision::kBFloat16 ? at::kBFloat16 : at::kFloat;
  const auto options = at::TensorOptions().device(runtime.device).dtype(type);
  const at::Tensor a = at::ones({4096, 512}, options), b = at::ones({512, 1024}, options);
  double best = 0;
  for (int i = 0; i < 4; ++i) {
    const Stopwatch watch;
    const double used = at::mm(a, b).sum().to(at::kFloat).item<float>();
    const double seconds = watch.seconds();
    if (used > 0) best = std::max(best, 2.0 * 4096 * 512 * 1024 / seconds);
  }
  return best;
}

struct SampleLengths {
  double source = 0, target = 0;
};

/// Mean lengths of this rank's validation samples; every rank gets the mean of all.
SampleLengths measure_lengths(const Session& session, const Workspace& workspace,
                              const TokenizedItems& items) {
  const auto& o = session.options;
  const RecommendationTask task(workspace.dataset().interactions, items, workspace.prompts(), o.data.history,
                                o.run.seed);
  std::vector<Sample> samples = evaluation_samples(workspace.dataset().interactions, Split::kValid);
  if (samples.size() > kSampledSamples) samples.resize(kSampledSamples);
  Seq2SeqBatch batch;
  for (const Sample& sample : samples) task.append(sample, evaluation_round(Split::kValid), batch);
  Communicator& world = session.mpi.world();
  const double count =
      std::max(1.0, static_cast<double>(world.sum(static_cast<std::int64_t>(samples.size()))));
  return {static_cast<double>(world.sum(batch.source.size())) / count,
          static_cast<double>(world.sum(batch.target.size())) / count};
}

std::string gib(double bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f GiB", bytes / (1 << 30));
  return text;
}

double parameter_count(const T5Config& c) {
  const auto d = static_cast<double>(c.d_model), inner = static_cast<double>(c.inner());
  const double layer = 4 * d * inner + (c.gated_gelu ? 3 : 2) * d * static_cast<double>(c.d_ff);
  return static_cast<double>(c.vocab_size) * d * (c.tied_head ? 1 : 2) +
         layer * static_cast<double>(c.num_layers + c.num_decoder_layers) +
         4 * d * inner * static_cast<double>(c.num_decoder_layers);
}

/// Bytes of a rank.
struct Memory {
  double training = 0;  ///< value, gradient and two moments of each parameter (and its bf16 copy)
  double beside = 0;    ///< the recommender, which waits while its copy is aligned
  double activations = 0;
};

Memory estimate_memory(const ProgramOptions& o, const T5Config& config, const Runtime& runtime,
                       const SampleLengths& lengths, int ranks, bool is_siit) {
  const double copy = runtime.precision == Precision::kBFloat16 ? 2 : 0, parameters = parameter_count(config);
  const double part = static_cast<double>(o.train.batch) / ranks * (lengths.source + lengths.target);
  const double tokens =
      o.train.microbatch_tokens > 0 ? std::min(part, static_cast<double>(o.train.microbatch_tokens)) : part;
  const double per_layer = 8 * static_cast<double>(config.d_model) + 5 * static_cast<double>(config.inner()) +
                           2 * static_cast<double>(config.d_ff);
  return {parameters * (16 + copy), is_siit && o.siit.iterations > 0 ? parameters * (8 + copy) : 0,
          tokens * static_cast<double>(config.num_layers) * 4 * per_layer};
}

/// Seconds, with all ranks at work.
struct Times {
  std::int64_t samples = 0, items = 0;  ///< of an epoch of training; alignment takes each item twice
  double sample = 0;                    ///< to train on one
  double evaluate = 0, regenerate = 0;

  [[nodiscard]] double epoch() const { return sample * static_cast<double>(samples); }
  [[nodiscard]] double align_epoch() const { return sample * static_cast<double>(2 * items); }
};

Times estimate_times(const ProgramOptions& o, const Workspace& workspace, const TokenizedItems& items,
                     const T5Config& config, const SampleLengths& lengths, double rate) {
  const ForwardCost cost = forward_cost(config, static_cast<double>(config.vocab_size), lengths.source);
  const double rows = 1 + o.decode.beams * static_cast<double>(items.max_length());
  const double decode_user =
      lengths.source * cost.per_source_token + rows * (cost.per_target_token + cost.per_target_output);
  Times times;
  for (const std::int32_t length : workspace.dataset().lengths) times.samples += training_samples(length);
  times.items = items.items();
  times.sample = 3 *
                 (lengths.source * cost.per_source_token +
                  lengths.target * (cost.per_target_token + cost.per_target_output)) /
                 rate;
  const std::int64_t users = o.eval.users > 0 ? o.eval.users : workspace.dataset().users();
  times.evaluate = decode_user * static_cast<double>(users) / rate;
  times.regenerate = decode_user * static_cast<double>(times.items) / rate;
  return times;
}

/// Samples that a stage trains on: train.max-steps may end it early.
double stage_samples(const TrainOptions& train, std::int64_t samples, std::int64_t epochs) {
  const double all = static_cast<double>(samples) * static_cast<double>(epochs);
  const double most = static_cast<double>(train.max_steps) * static_cast<double>(train.batch);
  return train.max_steps > 0 ? std::min(all, most) : all;
}

double siit_seconds(const ProgramOptions& o, const Times& times) {
  const auto stage = [&](std::int64_t samples, std::int64_t epochs) {
    return times.sample * stage_samples(o.train, samples, epochs);
  };
  const double iteration = stage(2 * times.items, o.siit.align_epochs) + times.regenerate +
                           stage(times.samples, o.siit.finetune_epochs) + times.evaluate;
  return stage(times.samples, o.siit.warmup_epochs) + o.siit.iterations * iteration + 2 * times.evaluate;
}

double train_seconds(const ProgramOptions& o, const Times& times) {
  const double samples = stage_samples(o.train, times.samples, o.train.epochs);
  const double epochs = samples / std::max(1.0, static_cast<double>(times.samples));
  const double validations =
      o.train.eval_every > 0 ? std::max(1.0, epochs / static_cast<double>(o.train.eval_every)) : 1;
  return times.sample * samples + (validations + 1) * times.evaluate;
}

void print_dataset(const Dataset& dataset, const Times& times, const SampleLengths& lengths) {
  std::printf("dataset      %s: %ld users, %ld items, %ld interactions, %ld training samples\n",
              dataset.name.c_str(), static_cast<long>(dataset.users()), static_cast<long>(dataset.items()),
              static_cast<long>(dataset.interaction_count), static_cast<long>(times.samples));
  std::printf("samples      %.1f source and %.1f target tokens on average\n", lengths.source, lengths.target);
}

void print_memory(const Memory& memory) {
  const std::string beside =
      memory.beside > 0 ? ", a second model during alignment " + gib(memory.beside) : std::string();
  std::printf("memory       about %s a rank (weights and optimiser %s%s, activations %s)\n",
              gib(memory.training + memory.beside + memory.activations).c_str(), gib(memory.training).c_str(),
              beside.c_str(), gib(memory.activations).c_str());
}

void print_times(const ProgramOptions& o, const Times& times, bool is_siit) {
  std::printf("time         epoch %s, evaluation %s", duration_text(times.epoch()).c_str(),
              duration_text(times.evaluate).c_str());
  if (is_siit) {
    std::printf(", alignment epoch %s, regeneration %s", duration_text(times.align_epoch()).c_str(),
                duration_text(times.regenerate).c_str());
  }
  std::printf("; whole run about %s\n",
              duration_text(is_siit ? siit_seconds(o, times) : train_seconds(o, times)).c_str());
}

}  // namespace

ExitCode dry_run(Session& session, const Workspace& workspace, const Runtime& runtime) {
  const auto& o = session.options;
  Communicator& world = session.mpi.world();
  const IdentifierTable table = stand_in_identifiers(session, workspace);
  const Vocabulary vocabulary(workspace.text_pieces(), table.symbols());
  const TokenizedItems items(table, vocabulary);
  T5Config config =
      o.model.config.empty() ? T5Config::preset(o.model.preset) : T5Config::from_file(o.model.config);
  config.vocab_size = vocabulary.size();
  const bool is_siit = session.line.command.empty() || session.line.command == "siit";

  const SampleLengths lengths = measure_lengths(session, workspace, items);
  const double rate = kEfficiency * product_rate(runtime) * world.size();
  const Times times = estimate_times(o, workspace, items, config, lengths, rate);
  if (!world.is_root()) return ExitCode::kDone;
  print_dataset(workspace.dataset(), times, lengths);
  std::printf("model        %.2f M parameters, %ld tokens\n", parameter_count(config) / 1e6,
              static_cast<long>(config.vocab_size));
  print_memory(estimate_memory(o, config, runtime, lengths, world.size(), is_siit));
  std::printf("rate         %.0f GFLOP/s on %d ranks, assumed at %.0f%% of a large product's\n", rate / 1e9,
              world.size(), 100 * kEfficiency);
  print_times(o, times, is_siit);
  std::fflush(stdout);
  return ExitCode::kDone;
}

}  // namespace genrec
