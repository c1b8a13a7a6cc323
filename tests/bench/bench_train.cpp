// Speed of training: a T5 on a dataset, random batches of all-prefix samples; forward, backward, clipping,
// AdamW. Before the clock starts, the loss of a fixed model is compared with a stored value.
//
//   bench_train --data DIR [--name Beauty] [--model PRESET] [--threads 2] [--precision f32|bf16]
//               [--vocabulary full|codes] [--force-bf16] [--batch 256] [--dropout 0.1] [--warmup 3]
//               [--steps 10] [--repeat 3]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "bench/bench.h"
#include "bench/bench_data.h"
#include "model/t5_cost.h"
#include "model/t5_model.h"
#include "nn/kernels/kernels.h"
#include "nn/memory.h"
#include "nn/precision.h"
#include "optim/adamw.h"

namespace {

using namespace genrec;
using bench::BenchData;

constexpr double kFixedLoss = 5.314906;

/// Mean token loss of a fixed small model with dropout on a fixed batch, after three steps.
double fixed_loss() {
  T5Config config = T5Config::preset("tiny");
  config.vocab_size = 300;
  T5Model model(config, at::kCPU, Precision::kFloat32);
  model.initialise(3);
  Seq2SeqBatch batch;
  RandomStream random(4, Purpose::kTest);
  for (std::uint64_t s = 0; s < 5; ++s) {
    for (PackedSequences* part : {&batch.source, &batch.target}) {
      for (std::uint64_t i = 0; i < 4 + 7 * s; ++i) {
        part->tokens.push_back(static_cast<TokenId>(3 + random.below(297)));
      }
      part->tokens.push_back(kEndToken);
      part->close_sequence();
    }
    batch.keys.push_back(s);
  }
  TrainingPass pass;
  pass.dropout = 0.1;
  pass.dropout_key = 9;
  AdamW optimizer(model.parameters(), {});
  LossSum loss;
  for (int step = 0; step < 3; ++step) {
    model.parameters().flat_gradients().zero_();
    loss = model.accumulate_gradients(batch, pass);
    optimizer.step(1e-3, 1.0 / static_cast<double>(loss.tokens));
  }
  return loss.sum / static_cast<double>(loss.tokens);
}

/// The mean loss of the batch.
double train_step(T5Model& model, AdamW& optimizer, const Seq2SeqBatch& batch, double dropout,
                  std::int64_t step) {
  TrainingPass pass;
  pass.dropout = dropout;
  pass.dropout_key = stream_key(1, Purpose::kDropout, {static_cast<std::uint64_t>(step)});
  model.parameters().flat_gradients().zero_();
  const LossSum loss = model.accumulate_gradients(batch, pass);
  const auto tokens = static_cast<double>(loss.tokens);
  const double norm = gradient_norm(model.parameters()) / tokens;
  optimizer.step(5e-4, std::min(1.0, 1.0 / norm) / tokens);
  return loss.sum / tokens;
}

Json run(const bench::Options& options) {
  keep_freed_memory();
  at::set_num_threads(bench::number(options, "--threads"));
  const double check = fixed_loss();
  bench::require(
      std::abs(check - kFixedLoss) < 1e-4 * kFixedLoss,
      "the fixed model's loss is " + std::to_string(check) + ", not " + std::to_string(kFixedLoss));
  const BenchData data(options.at("--data"), options.at("--name"), options.at("--vocabulary"));
  const std::int64_t size = bench::number(options, "--batch"), steps = bench::number(options, "--steps");
  const double dropout = std::stod(options.at("--dropout"));
  const Precision wanted = options.at("--precision") == "bf16" ? Precision::kBFloat16 : Precision::kFloat32;
  const Precision precision =
      options.at("--force-bf16") == "1" ? wanted : effective_precision(wanted, at::kCPU);
  T5Config config = T5Config::preset(options.at("--model"));
  config.vocab_size = data.vocabulary();
  T5Model model(config, at::kCPU, precision);
  model.initialise(1);
  AdamW optimizer(model.parameters(), {});
  std::int64_t step = 0;
  for (; step < bench::number(options, "--warmup"); ++step) {
    train_step(model, optimizer, data.batch(step, size), dropout, step);
  }
  double loss = 0;
  SequenceLengths tokens;
  const bench::Rates rates =
      bench::measure(bench::number(options, "--repeat"), static_cast<double>(size * steps), [&] {
        for (std::int64_t i = 0; i < steps; ++i, ++step) {
          const Seq2SeqBatch batch = data.batch(step, size);
          tokens.source += static_cast<double>(batch.source.size());
          tokens.target += static_cast<double>(batch.target.size());
          loss = train_step(model, optimizer, batch, dropout, step);
        }
      });
  const double samples =
      static_cast<double>(size) * static_cast<double>(step - bench::number(options, "--warmup"));
  const SequenceLengths mean{tokens.source / samples, tokens.target / samples};
  return {{"samples_per_s", rates.json()},
          {"cpu_ms_per_sample", rates.cpu_ms_per_unit},
          {"gflop_per_sample", T5Cost(config).train(mean) / 1e9},
          {"precision", precision_name(precision)},
          {"threads", bench::number(options, "--threads")},
          {"batch", size},
          {"dropout", dropout},
          {"vocab_size", data.vocabulary()},
          {"epoch_samples", data.training_samples()},
          {"parameters", model.parameters().parameter_count()},
          {"source_tokens_per_sample", mean.source},
          {"isa", kernel_isa()},
          {"allocator", allocator_name()},
          {"check_loss", check},
          {"last_loss", loss},
          {"peak_rss_bytes", peak_memory_bytes()}};
}

}  // namespace

int main(int argc, char** argv) {
  return genrec::bench::run("train", [&] {
    return run(genrec::bench::arguments(argc, argv,
                                        {{"--data", ""},
                                         {"--name", "Beauty"},
                                         {"--model", "tiger"},
                                         {"--threads", "2"},
                                         {"--precision", "f32"},
                                         {"--vocabulary", "full"},
                                         {"--batch", "256"},
                                         {"--dropout", "0.1"},
                                         {"--warmup", "3"},
                                         {"--steps", "10"},
                                         {"--repeat", "3"}},
                                        {"--force-bf16"}));
  });
}
