#include "app/dry_run.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "app/cost_model.h"
#include "app/first_identifiers.h"
#include "app/rate_probe.h"
#include "base/progress.h"
#include "model/t5_cost.h"
#include "nn/kernels/matrix.h"
#include "siit/regeneration.h"

namespace genrec {
namespace {

/// The link that is assumed where one rank measures none and none is given: 100 Gbit/s Ethernet.
constexpr double kAssumedBytesPerSecond = 12.5e9, kAssumedLatency = 10e-6;
/// Of an item on every rank beside its text: four tokens and an offset, three times (symbols, tokens, a
/// sorted copy), and about 50 bytes of the tree's nodes.
constexpr double kItemBytes = 120;

std::string gib(double bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f GiB", bytes / (1 << 30));
  return text;
}

std::string duration(double seconds) {
  if (seconds <= 0) return "-";
  if (seconds >= 10) return duration_text(seconds);
  char text[32];
  std::snprintf(text, sizeof(text), "%.2g s", seconds);
  return text;
}

/// What the job works on: the dataset's size, or the one that section estimate names.
struct Scale {
  double users = 0, items = 0, samples = 0;  ///< samples: of an epoch of recommendation
  double interactions = 0, text_bytes = 0;
};

Scale scale_of(const EstimateOptions& estimate, const Workspace& workspace) {
  const Dataset& dataset = workspace.dataset();
  Scale scale{.users = static_cast<double>(dataset.users()),
              .items = static_cast<double>(dataset.items()),
              .interactions = static_cast<double>(dataset.interaction_count)};
  for (const std::int32_t length : dataset.lengths)
    scale.samples += static_cast<double>(training_samples(length));
  for (const std::string& text : workspace.texts()) scale.text_bytes += static_cast<double>(text.size());
  if (estimate.users > 0) {
    const double more = static_cast<double>(estimate.users) / scale.users;
    scale.users *= more;
    scale.samples *= more;
    scale.interactions *= more;
  }
  if (estimate.items > 0) {
    scale.text_bytes *= static_cast<double>(estimate.items) / scale.items;
    scale.items = static_cast<double>(estimate.items);
  }
  return scale;
}

/// Samples that a stage trains on: train.max-steps may end it early.
double stage_samples(const TrainOptions& train, double samples, std::int64_t epochs) {
  const double all = samples * static_cast<double>(epochs);
  const double most = static_cast<double>(train.max_steps) * static_cast<double>(train.batch);
  return train.max_steps > 0 ? std::min(all, most) : all;
}

/// Of a weight: its bf16 copy, and the packed one of the kernels.
double copy_bytes(const Runtime& runtime) {
  if (runtime.precision != Precision::kBFloat16) return 0;
  return runtime.device.is_cpu() && matrix_kernels() != nullptr ? 4 : 2;
}

/// All that the costs of a job follow from.
struct Job {
  const ProgramOptions& options;
  T5Cost cost;
  T5Config config;
  MeasuredRates measured;
  Scale scale;
  double identifier = 0;  ///< longest, tokens
  double copy_bytes = 0;  ///< of a weight
  bool is_siit = false;

  [[nodiscard]] StageWork training(const std::string& name, double samples, SequenceLengths lengths) const {
    return {.name = name,
            .kind = StageKind::kTraining,
            .units = samples,
            .flop_per_unit = cost.train(lengths),
            .batch = static_cast<double>(options.train.batch)};
  }
  [[nodiscard]] StageWork evaluation(double times) const {
    const double users = options.eval.users > 0 ? static_cast<double>(options.eval.users) : scale.users;
    return {.name = "evaluation",
            .kind = StageKind::kSearch,
            .units = times * users,
            .flop_per_unit = cost.search(measured.recommendation.source, options.decode.beams, identifier)};
  }
  [[nodiscard]] std::vector<StageWork> siit_stages() const;
  [[nodiscard]] std::vector<StageWork> train_stages() const;
  [[nodiscard]] std::vector<StageWork> stages() const { return is_siit ? siit_stages() : train_stages(); }
  [[nodiscard]] double memory(int ranks) const;
};

std::vector<StageWork> Job::siit_stages() const {
  const SiitOptions& siit = options.siit;
  const auto iterations = static_cast<double>(siit.iterations);
  const bool greedy = siit.strategy.starts_with("greedy");
  const double candidates = greedy ? 1 : siit.candidates;
  std::vector<StageWork> stages{training(
      "warm-up", stage_samples(options.train, scale.samples, siit.warmup_epochs), measured.recommendation)};
  if (siit.iterations > 0) {
    stages.push_back(training("alignment",
                              iterations * stage_samples(options.train, 2 * scale.items, siit.align_epochs),
                              measured.alignment));
    stages.push_back(
        {.name = "regeneration",
         .kind = StageKind::kSearch,
         .units = iterations * scale.items,
         .flop_per_unit = cost.search(measured.title_prompt, candidates, identifier),
         .bytes_per_unit = 4 * (1 + candidates * (2 + identifier)),  // as regeneration.cpp sends them
         .block = static_cast<double>(RegenerationOptions().block)});
    stages.push_back(
        {.name = "assignment", .kind = StageKind::kAssignment, .units = iterations * scale.items});
    stages.push_back(training("fine-tuning",
                              iterations * stage_samples(options.train, scale.samples, siit.finetune_epochs),
                              measured.recommendation));
  }
  stages.push_back(evaluation(2 + iterations));  // after the warm-up, after each iteration, the test
  return stages;
}

std::vector<StageWork> Job::train_stages() const {
  const double samples = stage_samples(options.train, scale.samples, options.train.epochs);
  const double epochs = samples / std::max(1.0, scale.samples);
  const double validations = options.train.eval_every > 0
                                 ? std::max(1.0, epochs / static_cast<double>(options.train.eval_every))
                                 : 1;
  return {training("training", samples, measured.recommendation), evaluation(validations + 1)};
}

/// Bytes of a rank.
double Job::memory(int ranks) const {
  // Value, gradient and two moments of each weight; value and gradient of the recommender that waits during
  // alignment.
  const bool waits = is_siit && options.siit.iterations > 0;
  const double weights = cost.parameters() * (16 + copy_bytes + (waits ? 8 + copy_bytes : 0));
  const double part = static_cast<double>(options.train.batch) / ranks *
                      (measured.recommendation.source + measured.recommendation.target);
  const double tokens = options.train.microbatch_tokens > 0
                            ? std::min(part, static_cast<double>(options.train.microbatch_tokens))
                            : part;
  const double per_layer = 8 * static_cast<double>(config.d_model) + 5 * static_cast<double>(config.inner()) +
                           2 * static_cast<double>(config.d_ff);
  const double activations = tokens * static_cast<double>(config.num_layers) * 4 * per_layer;
  const double data =
      scale.items * kItemBytes + 2 * scale.text_bytes + 4 * scale.users + 4 * scale.interactions / ranks;
  return weights + activations + data;
}

/// What the estimate for other numbers of ranks goes by: what was measured, or what section estimate says.
MachineRates assumed_rates(const EstimateOptions& estimate, const MachineRates& measured) {
  MachineRates rates = measured;
  if (estimate.tflops > 0) {
    const double faster = estimate.tflops * 1e12 / measured.train_flop_per_s;
    rates.train_flop_per_s *= faster;
    rates.search_flop_per_s *= faster;
    rates.optimizer_s /= faster;
  }
  if (estimate.gbyte_per_s > 0) rates.bytes_per_s = estimate.gbyte_per_s * 1e9;
  if (estimate.latency_us > 0) rates.latency_s = estimate.latency_us * 1e-6;
  if (rates.bytes_per_s <= 0) rates.bytes_per_s = kAssumedBytesPerSecond;
  if (rates.latency_s <= 0) rates.latency_s = kAssumedLatency;
  return rates;
}

double whole_seconds(const Job& job, const MachineRates& rates, int ranks) {
  double seconds = 0;
  for (const StageWork& stage : job.stages())
    seconds += cost_of(stage, job.measured.gradients, rates, ranks).total();
  return seconds;
}

void print_sizes(const Workspace& workspace, const Job& job) {
  const Dataset& dataset = workspace.dataset();
  std::printf("dataset      %s: %ld users, %ld items, %ld interactions\n", dataset.name.c_str(),
              static_cast<long>(dataset.users()), static_cast<long>(dataset.items()),
              static_cast<long>(dataset.interaction_count));
  std::printf("samples      %.0f for training; %.1f source and %.1f target tokens on average\n",
              job.scale.samples, job.measured.recommendation.source, job.measured.recommendation.target);
  std::printf("model        %.2f M parameters, %ld tokens\n", job.cost.parameters() / 1e6,
              static_cast<long>(job.config.vocab_size));
}

void print_rates(const MachineRates& rates, int ranks) {
  std::printf("a rank       %.1f GFLOP/s in training, %.1f in decoding, %.1f ms to update the weights",
              rates.train_flop_per_s / 1e9, rates.search_flop_per_s / 1e9, 1e3 * rates.optimizer_s);
  if (ranks > 1) {
    std::printf("; gradients at %.2f GB/s, %.0f us a message", rates.bytes_per_s / 1e9,
                1e6 * rates.latency_s);
  }
  std::printf("\n");
}

void print_stages(const Job& job, int ranks) {
  std::printf("%-13s%14s%14s%14s%14s\n", "stage", "computing", "sums", "rank 0 alone", "all");
  for (const StageWork& stage : job.stages()) {
    const StageCost cost = cost_of(stage, job.measured.gradients, job.measured.rates, ranks);
    std::printf("%-13s%14s%14s%14s%14s\n", stage.name.c_str(), duration(cost.compute_s).c_str(),
                duration(cost.communication_s).c_str(), duration(cost.alone_s).c_str(),
                duration(cost.total()).c_str());
  }
}

/// `job`: at the scale that the estimate asks for.
void print_other_ranks(const Job& job, const EstimateOptions& estimate) {
  const MachineRates rates = assumed_rates(estimate, job.measured.rates);
  std::printf("elsewhere    %.3g users, %.3g items; ", job.scale.users, job.scale.items);
  print_rates(rates, 2);
  std::printf("%-13s%14s%14s%18s\n", "ranks", "whole run", "efficiency", "memory of a rank");
  const double alone = whole_seconds(job, rates, 1);
  for (const int ranks : estimate.ranks) {
    // As if data.shards were no fewer than the ranks.
    const double seconds = whole_seconds(job, rates, ranks);
    std::printf("%-13d%14s%13.0f%%%18s\n", ranks, duration(seconds).c_str(), 100 * alone / (seconds * ranks),
                gib(job.memory(ranks)).c_str());
  }
}

}  // namespace

ExitCode dry_run(Session& session, const Workspace& workspace, const Runtime& runtime) {
  const ProgramOptions& o = session.options;
  Communicator& world = session.mpi.world();
  const IdentifierTable table = stand_in_identifiers(session, workspace);
  const Vocabulary vocabulary(workspace.text_pieces(), table.symbols());
  const TokenizedItems items(table, vocabulary);
  T5Config config =
      o.model.config.empty() ? T5Config::preset(o.model.preset) : T5Config::from_file(o.model.config);
  config.vocab_size = vocabulary.size();
  const Job job{.options = o,
                .cost = T5Cost(config),
                .config = config,
                .measured = measure_rates(session, workspace, runtime, vocabulary, items),
                .scale = scale_of({}, workspace),
                .identifier = static_cast<double>(items.max_length()),
                .copy_bytes = copy_bytes(runtime),
                .is_siit = session.line.command.empty() || session.line.command == "siit"};
  if (!world.is_root()) return ExitCode::kDone;
  print_sizes(workspace, job);
  std::printf("memory       about %s a rank\n", gib(job.memory(world.size())).c_str());
  print_rates(job.measured.rates, world.size());
  print_stages(job, world.size());
  std::printf("time         whole run about %s on %d rank%s\n",
              duration(whole_seconds(job, job.measured.rates, world.size())).c_str(), world.size(),
              world.size() == 1 ? "" : "s");
  if (!o.estimate.ranks.empty()) {
    Job other = job;
    other.scale = scale_of(o.estimate, workspace);
    print_other_ranks(other, o.estimate);
  }
  std::fflush(stdout);
  return ExitCode::kDone;
}

}  // namespace genrec
