// Speed of the RQ-VAE's training on random embeddings: batches, losses, backward pass, AdamW, and LETTER's
// parts where they are asked for. Before the clock starts, Sinkhorn's codes are compared with those of the
// formula as it is written; at the end reconstructions must have become better. Prints one JSON object.
//
//   bench_rqvae [--items 12101] [--in-dim 384] [--hidden 512,256,128,64] [--dim 32] [--levels 4]
//               [--codes 256] [--batch 1024] [--sinkhorn] [--collaborative] [--diversity]
//               [--init kmeans|constrained-kmeans|uniform] [--kmeans-iterations 10]
//               [--warmup 3] [--epochs 20] [--repeat 5] [--threads 2] [--allocator keep|glibc]
//
// LETTER's layers: --hidden 2048,1024,512,256,128,64 with --in-dim 768 or 4096. --warmup and --epochs count
// epochs, the latter those of each repetition; clustering the codes for --diversity is part of them.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "comm/communicator.h"
#include "nn/kernels/kernels.h"
#include "nn/memory.h"
#include "nn/sinkhorn.h"
#include "tokenizers/rqvae/rqvae_trainer.h"

namespace {

using namespace genrec;
using Clock = std::chrono::steady_clock;
using Options = std::map<std::string, std::string>;

Options arguments(int argc, char** argv) {
  const std::set<std::string> flags = {"--sinkhorn", "--collaborative", "--diversity"};
  Options values{{"--items", "12101"}, {"--in-dim", "384"},    {"--hidden", "512,256,128,64"},
                 {"--dim", "32"},      {"--levels", "4"},      {"--codes", "256"},
                 {"--batch", "1024"},  {"--init", "kmeans"},   {"--kmeans-iterations", "10"},
                 {"--warmup", "3"},    {"--epochs", "20"},     {"--repeat", "5"},
                 {"--threads", "2"},   {"--allocator", "keep"}};
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (flags.contains(name)) {
      values.emplace(name, "1");
    } else if (values.contains(name) && i + 1 < argc) {
      values[name] = argv[++i];
    } else {
      std::string message("unknown option ");
      throw UsageError(message.append(name));
    }
  }
  return values;
}

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
  options.kmeans_iterations = std::stoi(given.at("--kmeans-iterations"));
  options.sinkhorn_epsilon = given.contains("--sinkhorn") ? 0.003 : 0;
  options.letter.alpha = given.contains("--collaborative") ? 0.02 : 0;
  options.letter.beta = given.contains("--diversity") ? 1e-4 : 0;
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
  if (others == 0) return;
  std::string message = "Sinkhorn gives other codes than its formula to ";
  throw Error(ExitCode::kInternal, message.append(std::to_string(others)).append(" of 512 rows"));
}

void run(const Options& given) {
  if (given.at("--allocator") == "keep") keep_freed_memory();
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
  RqvaeModel model(width, options, at::kCPU, Precision::kFloat32);
  RqvaeTrainer trainer(model, random_embeddings(items, width, 3), cf ? &*cf : nullptr, options, *world);

  std::vector<double> rates;
  std::vector<RqvaeLosses> losses;
  std::int64_t steps = 0, steps_per_epoch = 0;
  double start_seconds = 0, seconds = 0;
  std::clock_t cpu_start = 0;  // of all threads: tells how much another load disturbed
  const auto began = Clock::now();
  RqvaeHooks hooks;
  hooks.on_epoch = [&](const RqvaeEpoch& epoch) {
    losses.push_back(epoch.losses);
    steps_per_epoch = epoch.steps;
    if (epoch.epoch == 1) {
      start_seconds = std::chrono::duration<double>(Clock::now() - began).count() - epoch.seconds;
    }
    if (epoch.epoch == warmup) cpu_start = std::clock();
    if (epoch.epoch <= warmup) return;
    steps += epoch.steps;
    seconds += epoch.seconds;
    if ((epoch.epoch - warmup) % epochs != 0) return;
    rates.push_back(static_cast<double>(steps) / seconds);
    std::fprintf(stderr, "%.1f steps/s, loss %.4f\n", rates.back(), epoch.losses.total);
    steps = 0;
    seconds = 0;
  };
  if (!trainer.run(hooks)) throw Error(ExitCode::kInternal, "the training was stopped");
  const double cpu_s = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  if (losses.size() >= 10 && !(losses.back().reconstruction < losses.front().reconstruction)) {
    throw Error(ExitCode::kInternal, "the reconstruction loss has not fallen");
  }
  const auto measured_steps =
      static_cast<double>(steps_per_epoch * epochs) * static_cast<double>(rates.size());
  std::sort(rates.begin(), rates.end());
  const double median = rates[rates.size() / 2];
  std::printf(
      "{\"bench\": \"rqvae\", \"steps_per_s\": {\"median\": %.2f, \"min\": %.2f, \"max\": %.2f, \"n\": %zu}, "
      "\"step_ms\": %.2f, \"cpu_ms_per_step\": %.2f, \"epochs_per_s\": %.3f, \"steps_per_epoch\": %lld, "
      "\"start_seconds\": %.2f, \"items\": %lld, \"in_dim\": %lld, \"hidden\": \"%s\", \"batch\": %lld, "
      "\"sinkhorn\": %s, \"collaborative\": %s, \"diversity\": %s, \"init\": \"%s\", \"parameters\": %lld, "
      "\"threads\": %d, \"isa\": \"%s\", \"allocator\": \"%s\", \"first_loss\": %.4f, \"last_loss\": %.4f, "
      "\"peak_rss_bytes\": %lld}\n",
      median, rates.front(), rates.back(), rates.size(), 1000 / median, 1000 * cpu_s / measured_steps,
      median / static_cast<double>(steps_per_epoch), static_cast<long long>(steps_per_epoch), start_seconds,
      static_cast<long long>(items), static_cast<long long>(width), given.at("--hidden").c_str(),
      static_cast<long long>(options.batch), options.sinkhorn_epsilon > 0 ? "true" : "false",
      options.letter.alpha > 0 ? "true" : "false", options.letter.beta > 0 ? "true" : "false",
      options.init.c_str(), static_cast<long long>(model.parameters().parameter_count()), threads,
      kernel_isa(), given.at("--allocator").c_str(), losses.front().total, losses.back().total,
      static_cast<long long>(peak_memory_bytes()));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(arguments(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_rqvae: %s\n", error.what());
    return 1;
  }
  return 0;
}
