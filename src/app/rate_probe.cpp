#include "app/rate_probe.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/stopwatch.h"
#include "decoding/parallel_generator.h"
#include "optim/adamw.h"
#include "optim/gradient_reducer.h"
#include "training/tasks.h"

namespace genrec {
namespace {

constexpr std::size_t kLengthSamples = 2000;                 ///< of which a mean length is taken
constexpr std::int64_t kCpuSamples = 16, kGpuSamples = 512;  ///< that are trained on at once, at most
constexpr double kCpuFlop = 3e10;                            ///< likewise: a third of a second of a core
constexpr std::int64_t kCpuInputs = 8;                       ///< that a thread decodes at once, at most
constexpr double kSeconds = 0.25;                            ///< that a rate is taken over, at least

/// Seconds of one call. The first one is not counted, unless it takes so long that what it has to set up does
/// not matter.
double seconds_of(const std::function<void()>& work) {
  const Stopwatch first;
  work();
  if (first.seconds() > kSeconds) return first.seconds();
  const Stopwatch watch;
  std::int64_t calls = 0;
  do {
    work();
    ++calls;
  } while (watch.seconds() < kSeconds);
  return watch.seconds() / static_cast<double>(calls);
}

double mean_length(const PackedSequences& sequences) {
  return static_cast<double>(sequences.size()) /
         static_cast<double>(std::max<std::int64_t>(1, sequences.sequences()));
}

class RateProbe {
 public:
  RateProbe(Session& session, const Workspace& workspace, const Runtime& runtime,
            const Vocabulary& vocabulary, const TokenizedItems& items)
      : options_(session.options),
        world_(session.mpi.world()),
        workspace_(workspace),
        runtime_(runtime),
        items_(items),
        model_(workspace.make_model(runtime, vocabulary)),
        cost_(model_->config()),
        task_(workspace.dataset().interactions, items, workspace.prompts(), options_.data.history,
              options_.run.seed),
        samples_(evaluation_samples(workspace.dataset().interactions, Split::kValid)) {}

  MeasuredRates measure() {
    const T5Config& config = model_->config();
    measured_.gradients.bytes = 4 * cost_.parameters();
    measured_.gradients.last_bytes = 4.0 * static_cast<double>(config.vocab_size * config.d_model);
    if (world_.sum(static_cast<std::int64_t>(samples_.size())) == 0) {
      throw DataError("dry run: no user has the 3 items that a sample needs");
    }
    measure_lengths();
    measured_.rates.train_flop_per_s = per_second_of_slowest(seconds_per_training_flop());
    measured_.rates.search_flop_per_s = per_second_of_slowest(seconds_per_search_flop());
    measured_.rates.optimizer_s = slowest(seconds_per_update());
    measure_link();
    return measured_;
  }

 private:
  double slowest(double seconds) {
    world_.all_reduce_max(std::span(&seconds, 1));
    return seconds;
  }
  double per_second_of_slowest(double seconds) { return 1 / slowest(seconds); }

  double mean_over_ranks(std::int64_t sum, std::int64_t count) {
    const auto all = static_cast<double>(world_.sum(sum));
    return all / static_cast<double>(std::max<std::int64_t>(1, world_.sum(count)));
  }

  void wait_for_device() { (void)model_->parameters().flat_values().narrow(0, 0, 1).item<float>(); }

  [[nodiscard]] Seq2SeqBatch recommendation_batch(std::size_t most) const {
    Seq2SeqBatch batch;
    for (std::size_t i = 0; i < std::min(most, samples_.size()); ++i) {
      task_.append(samples_[i], evaluation_round(Split::kValid), batch);
    }
    return batch;
  }

  void measure_lengths() {
    const Seq2SeqBatch batch = recommendation_batch(kLengthSamples);
    measured_.recommendation = {mean_over_ranks(batch.source.size(), batch.samples()),
                                mean_over_ranks(batch.target.size(), batch.samples())};
    if (workspace_.titles() == nullptr) return;
    const AlignmentTask align(*workspace_.titles(), items_, workspace_.prompts());
    const std::vector<ItemId>& titled = align.trainable();
    Seq2SeqBatch both;
    PackedSequences prompts;
    for (std::size_t i = 0; i < titled.size(); i += 1 + titled.size() / kLengthSamples) {
      align.append(titled[i], AlignmentDirection::kItemToIdentifier, both);
      align.append(titled[i], AlignmentDirection::kIdentifierToItem, both);
      align.append_item_prompt(titled[i], prompts);
    }
    measured_.alignment = {mean_length(both.source), mean_length(both.target)};
    measured_.title_prompt = mean_length(prompts);
  }

  [[nodiscard]] std::int64_t cpu_samples() const {
    const double samples = kCpuFlop / cost_.train(measured_.recommendation);
    return std::clamp(static_cast<std::int64_t>(samples), std::int64_t{1}, kCpuSamples);
  }

  /// 0 on a rank without samples.
  double seconds_per_training_flop() {
    const std::int64_t part = std::max<std::int64_t>(1, options_.train.batch / world_.size());
    const std::int64_t most = std::min(part, runtime_.device.is_cpu() ? cpu_samples() : kGpuSamples);
    const Seq2SeqBatch batch = recommendation_batch(static_cast<std::size_t>(most));
    TrainingPass pass;
    pass.dropout = options_.train.dropout;
    world_.barrier();
    if (batch.samples() == 0) return 0;
    const double seconds = seconds_of([&] {
      (void)model_->accumulate_gradients(batch, pass);
      wait_for_device();
    });
    const double flop = cost_.train({mean_length(batch.source), mean_length(batch.target)});
    return seconds / (flop * static_cast<double>(batch.samples()));
  }

  /// Likewise.
  double seconds_per_search_flop() {
    const DecodeOptions& decode = options_.decode;
    const PrefixTrie trie(items_);
    const std::int64_t block =
        runtime_.device.is_cpu() ? std::min<std::int64_t>(decode.batch, kCpuInputs) : decode.batch;
    const std::int64_t inputs =
        std::min(static_cast<std::int64_t>(samples_.size()), block * runtime_.threads);
    const auto sources = [&](Range range) {
      PackedSequences packed;
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        task_.append_source(samples_[static_cast<std::size_t>(i)], evaluation_round(Split::kValid), packed);
      }
      return packed;
    };
    world_.barrier();
    if (inputs == 0) return 0;
    const double seconds = seconds_of([&] {
      generate_in_blocks(*model_, inputs, block, runtime_.threads, sources, trie.automaton(),
                         {.beams = decode.beams, .score = score_rule(decode)}, [](auto, auto, auto) {}, {});
    });
    const double flop = cost_.search(mean_length(sources({0, inputs})), decode.beams,
                                     static_cast<double>(items_.max_length()));
    return seconds / (flop * static_cast<double>(inputs));
  }

  /// Of all that a step does beside its passes.
  double seconds_per_update() {
    AdamW optimizer(model_->parameters(), {.weight_decay = options_.train.weight_decay,
                                           .scale_parameter = options_.train.scale_parameter});
    return seconds_of([&] {
      (void)gradient_norm(model_->parameters());
      optimizer.step(0, 1);
      model_->parameters().flat_gradients().zero_();
      wait_for_device();
    });
  }

  void measure_link() {
    // One sum in many messages and in one: what is between them are messages.
    const Sum buckets = bucketed_sum(GradientReducer::kBucketBytes);
    const auto messages = static_cast<double>(buckets.messages);
    measured_.gradients.messages = messages;
    if (world_.size() == 1) return;
    const double many = slowest(buckets.seconds);
    const double one = slowest(bucketed_sum(std::numeric_limits<std::int64_t>::max()).seconds);
    const double rounds = all_reduce_rounds(world_.size());
    measured_.rates.latency_s = messages > 1 ? std::max(0.0, many - one) / (messages - 1) / rounds : 0;
    measured_.rates.bytes_per_s = all_reduce_bytes(measured_.gradients.bytes, world_.size()) / one;
  }

  struct Sum {
    std::size_t messages = 0;
    double seconds = 0;
  };
  /// Of the model's gradients; the second of two, since the first one meets cold buffers.
  Sum bucketed_sum(std::int64_t bucket_bytes) {
    GradientReducer reducer(model_->parameters(), world_, runtime_.reducer.get(), bucket_bytes);
    Sum sum{.messages = reducer.buckets()};
    for (int i = 0; i < 2; ++i) {
      world_.barrier();
      const Stopwatch watch;
      reducer.begin();
      reducer.finish();
      wait_for_device();
      sum.seconds = watch.seconds();
    }
    return sum;
  }

  const ProgramOptions& options_;
  Communicator& world_;
  const Workspace& workspace_;
  const Runtime& runtime_;
  const TokenizedItems& items_;
  std::unique_ptr<T5Model> model_;
  T5Cost cost_;
  RecommendationTask task_;
  std::vector<Sample> samples_;
  MeasuredRates measured_;
};

}  // namespace

MeasuredRates measure_rates(Session& session, const Workspace& workspace, const Runtime& runtime,
                            const Vocabulary& vocabulary, const TokenizedItems& items) {
  return RateProbe(session, workspace, runtime, vocabulary, items).measure();
}

}  // namespace genrec
