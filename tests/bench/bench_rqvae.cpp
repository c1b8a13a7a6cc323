// Speed of the RQ-VAE's training on random embeddings: batches, losses, backward pass, AdamW, and LETTER's
// parts where they are asked for. Before the clock starts, Sinkhorn's codes are compared with those of the
// formula as it is written; at the end reconstructions must have become better.
//
//   bench_rqvae [--items 12101] [--in-dim 384] [--hidden 512,256,128,64] [--dim 32] [--levels 4]
//               [--codes 256] [--batch 1024] [--sinkhorn] [--collaborative] [--diversity]
//               [--init kmeans|constrained-kmeans|uniform] [--kmeans-iterations 10] [--restart-every 2]
//               [--warmup 3] [--epochs 20] [--repeat 5] [--threads 2] [--precision f32|bf16]
//
// LETTER's layers: --hidden 2048,1024,512,256,128,64 with --in-dim 768 or 4096. --warmup and --epochs count
// epochs, the latter those of each repetition; clustering the codes for --diversity is part of them.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench.h"
#include "comm/communicator.h"
#include "nn/kernels/kernels.h"
#include "nn/memory.h"
#include "nn/precision.h"
#include "nn/sinkhorn.h"
#include "tokenizers/rqvae/rqvae_trainer.h"

namespace {

using namespace genrec;
using bench::Options;

RqvaeOptions rqvae_options(const Options& given) {
  RqvaeOptions options;
  options.hidden.clear();
  std::istringstream widths(given.at("--hidden"));
  for (std::string width; std::getline(widths, width, ',');) options.hidden.push_back(std::stoi(width));
  options.dim = std::stoll(given.at("--dim"));
  options.levels = std::stoll(given.at("--levels"));
  options.codes = std::stoll(given.at("--codes"));
  options.batch = std::stoll(given.at("--batch"));
  options.init = given.at("--init");
  options.restart_every = std::stoll(given.at("--restart-every"));
  options.kmeans_iterations = std::stoi(given.at("--kmeans-iterations"));
  options.sinkhorn_epsilon = given.at("--sinkhorn") == "1" ? 0.003 : 0;
  options.letter.alpha = given.at("--collaborative") == "1" ? 0.02 : 0;
  options.letter.beta = given.at("--diversity") == "1" ? 1e-4 : 0;
  options.epochs =
      std::stoll(given.at("--warmup")) + std::stoll(given.at("--epochs")) * std::stoll(given.at("--repeat"));
  options.eval_every = 0;
  options.keep_best = false;
  return options;
}

at::Tensor random_rows(std::int64_t rows, std::int64_t width, std::uint64_t seed) {
  return at::randn({rows, width}, at::detail::createCPUGenerator(seed));
}

Embeddings random_embeddings(std::int64_t rows, std::int64_t width, std::uint64_t seed) {
  const at::Tensor values = random_rows(rows, width, seed);
  const auto* first = values.const_data_ptr<float>();
  return make_embeddings({first, first + values.numel()}, width, "random", "");
}

/// The codes of the formula as it is written, which normalises the whole plan at each turn.
at::Tensor literal_sinkhorn(const at::Tensor& distances) {
  const at::Tensor d = distances.to(at::kDouble);
  const at::Tensor middle = (d.max() + d.min()) / 2;
  at::Tensor plan = ((d - middle) / (d.max() - middle + 1e-5) / -0.003).exp();
  plan.div_(plan.sum());
  for (int i = 0; i < 50; ++i) {
    plan.div_(plan.sum(1, true).mul_(d.size(0)));
    plan.div_(plan.sum(0, true).mul_(d.size(1)));
  }
  return plan.argmax(1);
}

void check_sinkhorn() {
  const at::Tensor distances =
      at::cdist(random_rows(512, 32, 1), random_rows(256, 32, 2)).square();  // 2 rows a code: none is split
  const auto others = sinkhorn_codes(distances).ne(literal_sinkhorn(distances)).sum().item<std::int64_t>();
  bench::require(others == 0,
                 std::to_string(others) + " of 512 rows get other codes of Sinkhorn than its formula says");
}

/// Forward and backward pass of a batch: products of the layers and distances to the codes. The first layer
/// needs no gradient of its input.
double gflop_per_step(std::int64_t width, const RqvaeOptions& options) {
  double layers = 0, before = static_cast<double>(width);
  for (const int hidden : options.hidden) layers += std::exchange(before, hidden) * hidden;
  layers += before * static_cast<double>(options.dim);
  const double first = static_cast<double>(width) * options.hidden.front();
  const auto codes = static_cast<double>(options.levels * options.codes * options.dim);
  return 2e-9 * static_cast<double>(options.batch) * (3 * 2 * layers - first + codes);
}

Json run(const Options& given) {
  keep_freed_memory();
  const int threads = std::stoi(given.at("--threads"));
  at::set_num_threads(threads);
  check_sinkhorn();
  const RqvaeOptions options = rqvae_options(given);
  const std::int64_t items = std::stoll(given.at("--items")), width = std::stoll(given.at("--in-dim"));
  const std::int64_t warmup = std::stoll(given.at("--warmup")), epochs = std::stoll(given.at("--epochs"));
  if (warmup < 0 || epochs < 1 || std::stoll(given.at("--repeat")) < 1) {
    throw UsageError("--warmup must be at least 0, --epochs and --repeat at least 1");
  }
  std::optional<Embeddings> cf;
  if (options.letter.alpha > 0) cf = random_embeddings(items, options.dim, 4);
  check_options(options, items, cf ? cf->rows : 0, cf ? cf->width : 0);
  const auto world = make_single_communicator();
  const Precision wanted = given.at("--precision") == "bf16" ? Precision::kBFloat16 : Precision::kFloat32;
  const Precision precision = effective_precision(wanted, at::kCPU);
  RqvaeModel model(width, options, at::kCPU, precision);
  RqvaeTrainer trainer(model, random_embeddings(items, width, 3), cf ? &*cf : nullptr, options, *world);

  bench::Rates rates;
  std::vector<RqvaeLosses> losses;
  std::int64_t steps = 0, steps_per_epoch = 0;
  double start_seconds = 0, seconds = 0;
  std::clock_t cpu_start = std::clock();
  const Stopwatch watch;
  RqvaeHooks hooks;
  hooks.on_epoch = [&](const RqvaeEpoch& epoch) {
    losses.push_back(epoch.losses);
    steps_per_epoch = epoch.steps;
    if (epoch.epoch == 1) {
      start_seconds = watch.seconds() - epoch.seconds;
    }
    if (epoch.epoch == warmup) cpu_start = std::clock();
    if (epoch.epoch <= warmup) return;
    steps += epoch.steps;
    seconds += epoch.seconds;
    if ((epoch.epoch - warmup) % epochs != 0) return;
    rates.values.push_back(static_cast<double>(steps) / seconds);
    std::fprintf(stderr, "%.1f steps/s, loss %.4f\n", rates.values.back(), epoch.losses.total);
    steps = 0;
    seconds = 0;
  };
  bench::require(trainer.run(hooks), "the training was stopped");
  const double cpu_ms = 1000 * static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  bench::require(losses.size() < 10 || losses.back().reconstruction < losses.front().reconstruction,
                 "the reconstruction loss has not fallen");
  const auto measured_steps =
      static_cast<double>(steps_per_epoch * epochs) * static_cast<double>(rates.values.size());
  std::ranges::sort(rates.values);
  return {{"steps_per_s", rates.json()},
          {"cpu_ms_per_step", cpu_ms / measured_steps},
          {"gflop_per_step", gflop_per_step(width, options)},
          {"steps_per_epoch", steps_per_epoch},
          {"start_seconds", start_seconds},
          {"items", items},
          {"in_dim", width},
          {"hidden", given.at("--hidden")},
          {"batch", options.batch},
          {"sinkhorn", options.sinkhorn_epsilon > 0},
          {"collaborative", options.letter.alpha > 0},
          {"diversity", options.letter.beta > 0},
          {"init", options.init},
          {"restart_every", options.restart_every},
          {"parameters", model.parameters().parameter_count()},
          {"threads", threads},
          {"precision", precision_name(precision)},
          {"isa", kernel_isa()},
          {"allocator", allocator_name()},
          {"first_loss", losses.front().total},
          {"last_loss", losses.back().total},
          {"peak_rss_bytes", peak_memory_bytes()}};
}

}  // namespace

int main(int argc, char** argv) {
  return genrec::bench::run("rqvae", [&] {
    return run(genrec::bench::arguments(argc, argv,
                                        {{"--items", "12101"},
                                         {"--in-dim", "384"},
                                         {"--hidden", "512,256,128,64"},
                                         {"--dim", "32"},
                                         {"--levels", "4"},
                                         {"--codes", "256"},
                                         {"--batch", "1024"},
                                         {"--init", "kmeans"},
                                         {"--kmeans-iterations", "10"},
                                         {"--restart-every", "2"},
                                         {"--warmup", "3"},
                                         {"--epochs", "20"},
                                         {"--repeat", "5"},
                                         {"--threads", "2"},
                                         {"--precision", "f32"}},
                                        {"--sinkhorn", "--collaborative", "--diversity"}));
  });
}
