#include "app/dry_run.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

#include "base/progress.h"
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
    const auto begin = std::chrono::steady_clock::now();
    const double used = at::mm(a, b).sum().to(at::kFloat).item<float>();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
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

}  // namespace

ExitCode dry_run(Session& session, const Workspace& workspace, const Runtime& runtime) {
  const auto& o = session.options;
  Communicator& world = session.mpi.world();
  const IdentifierTable table = workspace.make_identifiers();
  const Vocabulary vocabulary(workspace.text_pieces(), table.symbols());
  const TokenizedItems items(table, vocabulary);
  T5Config config =
      o.model.config.empty() ? T5Config::preset(o.model.preset) : T5Config::from_file(o.model.config);
  config.vocab_size = vocabulary.size();

  const SampleLengths lengths = measure_lengths(session, workspace, items);
  const ForwardCost cost = forward_cost(config, static_cast<double>(config.vocab_size), lengths.source);
  const double sample_forward = lengths.source * cost.per_source_token +
                                lengths.target * (cost.per_target_token + cost.per_target_output);
  std::int64_t training = 0;
  for (const std::int32_t length : workspace.dataset().lengths) training += training_samples(length);
  const double rate = kEfficiency * product_rate(runtime) * world.size();
  const double epoch_s = 3 * sample_forward * static_cast<double>(training) / rate;
  const double beams = o.decode.beams;
  const double rows = 1 + beams * static_cast<double>(items.max_length());
  const double decode_user =
      lengths.source * cost.per_source_token + rows * (cost.per_target_token + cost.per_target_output);
  const double evaluate_s =
      decode_user * static_cast<double>(o.eval.users > 0 ? o.eval.users : workspace.dataset().users()) / rate;
  const double align_s = 2 * 3 * sample_forward * static_cast<double>(table.items()) / rate;
  const double regenerate_s = decode_user * static_cast<double>(table.items()) / rate;

  const auto d = static_cast<double>(config.d_model);
  const double layer = 4 * d * static_cast<double>(config.inner()) +
                       (config.gated_gelu ? 3 : 2) * d * static_cast<double>(config.d_ff);
  const double parameters = static_cast<double>(config.vocab_size) * d * (config.tied_head ? 1 : 2) +
                            layer * static_cast<double>(config.num_layers + config.num_decoder_layers) +
                            4 * d * static_cast<double>(config.inner() * config.num_decoder_layers);
  const double bytes_per_parameter =
      runtime.precision == Precision::kBFloat16 ? 18 : 16;  // value, gradient, two moments (, copy)
  const double part = static_cast<double>(o.train.batch) / world.size() * (lengths.source + lengths.target);
  const double tokens =
      o.train.microbatch_tokens > 0 ? std::min(part, static_cast<double>(o.train.microbatch_tokens)) : part;
  const double activations =
      tokens * static_cast<double>(config.num_layers) * 4 *
      (8 * d + 5 * static_cast<double>(config.inner()) + 2 * static_cast<double>(config.d_ff));

  if (world.is_root()) {
    std::printf("dataset      %s: %ld users, %ld items, %ld interactions, %ld training samples\n",
                workspace.dataset().name.c_str(), static_cast<long>(workspace.dataset().users()),
                static_cast<long>(workspace.dataset().items()),
                static_cast<long>(workspace.dataset().interaction_count), static_cast<long>(training));
    std::printf("samples      %.1f source and %.1f target tokens on average\n", lengths.source,
                lengths.target);
    std::printf("model        %.2f M parameters, %ld tokens\n", parameters / 1e6,
                static_cast<long>(config.vocab_size));
    std::printf("memory       about %s a rank (weights and optimiser %s, activations %s)\n",
                gib(parameters * bytes_per_parameter + activations).c_str(),
                gib(parameters * bytes_per_parameter).c_str(), gib(activations).c_str());
    std::printf("rate         %.0f GFLOP/s on %d ranks, assumed at %.0f%% of a large product's\n", rate / 1e9,
                world.size(), 100 * kEfficiency);
    std::printf("time         epoch %s, evaluation %s", duration_text(epoch_s).c_str(),
                duration_text(evaluate_s).c_str());
    if (session.line.command.empty() || session.line.command == "siit") {
      const auto& s = o.siit;
      const double total = static_cast<double>(s.warmup_epochs) * epoch_s + evaluate_s * (s.iterations + 2) +
                           s.iterations * (static_cast<double>(s.align_epochs) * align_s + regenerate_s +
                                           static_cast<double>(s.finetune_epochs) * epoch_s);
      std::printf(", alignment epoch %s, regeneration %s; whole run about %s\n",
                  duration_text(align_s).c_str(), duration_text(regenerate_s).c_str(),
                  duration_text(total).c_str());
    } else {
      std::printf("; whole run about %s\n",
                  duration_text(static_cast<double>(o.train.epochs) * (epoch_s + evaluate_s)).c_str());
    }
    std::fflush(stdout);
  }
  return ExitCode::kDone;
}

}  // namespace genrec
