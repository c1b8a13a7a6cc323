// Speed of training: TIGER's T5 on Beauty, random batches of all-prefix samples (the last 20 items,
// identifiers alone and the end token), 33,065 tokens in the vocabulary; forward, backward, clipping, AdamW.
// Before the clock starts, the loss of a fixed model is compared with a stored value. Prints one JSON object.
//
//   bench_train --data DIR [--threads 2] [--precision f32|bf16] [--force-bf16 0|1] [--batch 256] [--dropout
//   0.1]
//               [--warmup 3] [--steps 10] [--repeat 3] [--allocator keep|glibc]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "data/load_dataset.h"
#include "data/virtual_shards.h"
#include "model/t5_model.h"
#include "nn/kernels/kernels.h"
#include "nn/memory.h"
#include "nn/precision.h"
#include "optim/adamw.h"
#include "tokenizers/vocabulary.h"

namespace {

using namespace genrec;

constexpr std::int32_t kHistory = 20;
constexpr TokenId kTextPieces = 32100;
constexpr double kFixedLoss = 5.314906;

class Beauty {
 public:
  explicit Beauty(const std::string& folder)
      : dataset_(load(folder)),
        table_(read_index_json(folder + "/Beauty.index.json", dataset_.items())),
        vocabulary_(kTextPieces, table_.symbols()),
        items_(table_, vocabulary_) {
    for (std::int64_t row = 0; row < dataset_.interactions.rows(); ++row) {
      // Every training item but the first is a target, the validation and test items are not.
      for (std::int64_t t = 1; t < dataset_.interactions.length(row) - 2; ++t) {
        samples_.push_back({static_cast<std::int32_t>(row), static_cast<std::int32_t>(t)});
      }
    }
    RandomStream random(1, Purpose::kTest);
    random.shuffle(std::span(samples_));
  }
  [[nodiscard]] TokenId vocabulary() const { return vocabulary_.size(); }
  [[nodiscard]] Seq2SeqBatch batch(std::int64_t number, std::int64_t size) const {
    Seq2SeqBatch batch;
    for (std::int64_t i = 0; i < size; ++i) {
      const Sample sample = samples_[static_cast<std::size_t>(number * size + i) % samples_.size()];
      for (ItemId item : history_of(dataset_.interactions, sample, kHistory)) append(batch.source, item);
      append(batch.target, dataset_.interactions.row(sample.row)[static_cast<std::size_t>(sample.target)]);
      for (PackedSequences* part : {&batch.source, &batch.target}) {
        part->tokens.push_back(kEndToken);
        part->close_sequence();
      }
      batch.keys.push_back(static_cast<std::uint64_t>(number * size + i));
    }
    return batch;
  }

 private:
  static Dataset load(const std::string& folder) {
    DataOptions options;
    options.dir = folder;
    options.name = "Beauty";
    options.needs_text = false;
    DatasetRepairs repairs;
    return load_dataset(options, 1, 0, 1, repairs);
  }
  void append(PackedSequences& to, ItemId item) const {
    const auto tokens = items_.of(item);
    to.tokens.insert(to.tokens.end(), tokens.begin(), tokens.end());
  }

  Dataset dataset_;
  IdentifierTable table_;
  Vocabulary vocabulary_;
  TokenizedItems items_;
  std::vector<Sample> samples_;
};

/// Mean token loss of a fixed small model with dropout on a fixed batch.
double fixed_loss() {
  T5Config config = T5Config::preset("tiny");
  config.vocab_size = 300;
  T5Model model(config, at::kCPU, Precision::kFloat32);
  model.initialise(3);
  Seq2SeqBatch batch;
  RandomStream random(4, Purpose::kTest);
  for (std::uint64_t s = 0; s < 5; ++s) {
    for (PackedSequences* part : {&batch.source, &batch.target}) {
      for (std::uint64_t i = 0; i < 4 + 7 * s; ++i)
        part->tokens.push_back(static_cast<TokenId>(3 + random.below(297)));
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

using Options = std::map<std::string, std::string>;

Options arguments(int argc, char** argv) {
  Options values{{"--data", ""},     {"--threads", "2"},     {"--precision", "f32"}, {"--force-bf16", "0"},
                 {"--batch", "256"}, {"--dropout", "0.1"},   {"--warmup", "3"},      {"--steps", "10"},
                 {"--repeat", "3"},  {"--allocator", "keep"}};
  for (int i = 1; i < argc; i += 2) {
    if (!values.contains(argv[i]) || i + 1 == argc)
      throw UsageError(std::string("unknown option ") + argv[i]);
    values[argv[i]] = argv[i + 1];
  }
  if (values["--data"].empty()) throw UsageError("--data DIR: the folder of Beauty.inter.json");
  return values;
}

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

void run(Options options) {
  if (options["--allocator"] == "keep") keep_freed_memory();
  const int threads = std::stoi(options["--threads"]), repeat = std::stoi(options["--repeat"]);
  at::set_num_threads(threads);
  const double check = fixed_loss();
  if (!(std::abs(check - kFixedLoss) < 1e-4 * kFixedLoss)) {
    throw Error(ExitCode::kInternal, "the fixed model's loss is " + std::to_string(check) + "; expected " +
                                         std::to_string(kFixedLoss));
  }
  const Beauty beauty(options["--data"]);
  const std::int64_t size = std::stoll(options["--batch"]), steps = std::stoll(options["--steps"]);
  const double dropout = std::stod(options["--dropout"]);
  const Precision wanted = options["--precision"] == "bf16" ? Precision::kBFloat16 : Precision::kFloat32;
  const Precision precision = options["--force-bf16"] == "1" ? wanted : effective_precision(wanted, at::kCPU);
  T5Config config = T5Config::preset("tiger");
  config.vocab_size = beauty.vocabulary();
  T5Model model(config, at::kCPU, precision);
  model.initialise(1);
  AdamW optimizer(model.parameters(), {});
  std::int64_t step = 0;
  for (; step < std::stoll(options["--warmup"]); ++step) {
    train_step(model, optimizer, beauty.batch(step, size), dropout, step);
  }
  std::vector<double> rates;
  double loss = 0;
  std::int64_t source_tokens = 0;
  const std::clock_t cpu_start = std::clock();  // of all threads: tells how much another load disturbed
  for (int r = 0; r < repeat; ++r) {
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t i = 0; i < steps; ++i, ++step) {
      const Seq2SeqBatch batch = beauty.batch(step, size);
      source_tokens += batch.source.size();
      loss = train_step(model, optimizer, batch, dropout, step);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    rates.push_back(static_cast<double>(size * steps) / seconds.count());
  }
  const double cpu_s = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  std::sort(rates.begin(), rates.end());
  const double median = rates[rates.size() / 2];
  std::printf(
      "{\"bench\": \"train\", \"samples_per_s\": {\"median\": %.2f, \"min\": %.2f, \"max\": %.2f, \"n\": "
      "%zu}, "
      "\"step_ms\": %.1f, \"cpu_ms_per_step\": %.1f, \"precision\": \"%s\", \"threads\": %d, \"batch\": "
      "%lld, \"dropout\": %g, "
      "\"vocab_size\": %d, \"parameters\": %lld, \"source_tokens_per_sample\": %.1f, \"isa\": \"%s\", "
      "\"allocator\": \"%s\", \"check_loss\": %.6f, \"last_loss\": %.3f, \"peak_rss_bytes\": %lld}\n",
      median, rates.front(), rates.back(), rates.size(), 1000 * static_cast<double>(size) / median,
      1000 * cpu_s / static_cast<double>(steps * repeat), precision_name(precision), threads,
      static_cast<long long>(size), dropout, beauty.vocabulary(),
      static_cast<long long>(model.parameters().parameter_count()),
      static_cast<double>(source_tokens) / static_cast<double>(size * steps * repeat), kernel_isa(),
      options["--allocator"].c_str(), check, loss, static_cast<long long>(peak_memory_bytes()));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(arguments(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_train: %s\n", error.what());
    return 1;
  }
  return 0;
}
