#include "training/trainer.h"

#include <array>
#include <cmath>
#include <future>
#include <optional>

#include "base/error.h"
#include "base/random.h"
#include "base/stopwatch.h"
#include "io/sha256.h"
#include "optim/adamw.h"
#include "optim/gradient_reducer.h"
#include "optim/schedule.h"
#include "training/microbatch.h"
#include "training/optimizer_state.h"

namespace genrec {
namespace {

/// Prepares the next batch in a background thread while the present one is computed. An exception of the
/// source comes out of take(); destruction waits for the thread.
class BatchPrefetcher {
 public:
  BatchPrefetcher(BatchSource& source, TrainPosition position, std::int64_t steps)
      : source_(source), next_(position), steps_(steps) {
    launch();
  }
  [[nodiscard]] Seq2SeqBatch take() {
    Seq2SeqBatch batch = pending_.get();
    ++next_.stage_step;
    if (++next_.step == source_.steps_per_epoch()) {
      ++next_.epoch;
      next_.step = 0;
    }
    launch();
    return batch;
  }

 private:
  void launch() {
    if (next_.stage_step >= steps_) return;
    pending_ =
        std::async(std::launch::async, [this, at = next_] { return source_.batch(at.epoch, at.step); });
  }

  BatchSource& source_;
  TrainPosition next_;
  std::int64_t steps_;
  std::future<Seq2SeqBatch> pending_;
};

/// What one small sum over ranks brings together at every step.
struct StepTotals {
  double loss = 0, tokens = 0, samples = 0;
  double stop_wishes = 0;     ///< ranks that want to stop
  double checkpoint_due = 0;  ///< rank 0 says 1

  void sum_over(Communicator& world) {
    std::array<double, 5> values = {loss, tokens, samples, stop_wishes, checkpoint_due};
    world.all_reduce_sum(std::span<double>(values));
    loss = values[0];
    tokens = values[1];
    samples = values[2];
    stop_wishes = values[3];
    checkpoint_due = values[4];
  }
};

}  // namespace

struct Trainer::Impl {
  T5Model& model;
  BatchSource& source;
  TrainOptions options;
  TrainStage stage;
  Communicator& world;
  std::int64_t steps_per_epoch, steps;
  AdamW optimizer;
  GradientReducer reducer;
  TrainPosition position;
  Throughput throughput;

  Impl(T5Model& m, BatchSource& s, const TrainOptions& o, TrainStage t, Communicator& w,
       DeviceReducer* device_sums);
  [[nodiscard]] LossSum compute_gradients(const Seq2SeqBatch& batch);
  [[nodiscard]] std::optional<StepReport> step(const Seq2SeqBatch& batch, StepTotals& totals);
  void check_finite(const StepReport& report) const;
  void compare_parameters();
};

namespace {

std::int64_t stage_steps(std::int64_t per_epoch, const TrainStage& stage, const TrainOptions& options) {
  if (per_epoch == 0 && stage.epochs > 0) {
    throw DataError(stage.name +
                    ": the dataset has no training sample; it takes users with at least 4 items");
  }
  const std::int64_t all = per_epoch * stage.epochs;
  return options.max_steps > 0 ? std::min(all, options.max_steps) : all;
}

}  // namespace

Trainer::Impl::Impl(T5Model& m, BatchSource& s, const TrainOptions& o, TrainStage t, Communicator& w,
                    DeviceReducer* device_sums)
    : model(m),
      source(s),
      options(o),
      stage(std::move(t)),
      world(w),
      steps_per_epoch(s.steps_per_epoch()),
      steps(stage_steps(steps_per_epoch, stage, options)),
      optimizer(m.parameters(),
                AdamWOptions{.weight_decay = o.weight_decay, .scale_parameter = o.scale_parameter}),
      reducer(m.parameters(), w, device_sums) {}

/// Forward and backward over this rank's part, in microbatches; sums over ranks run beside the last backward
/// pass.
LossSum Trainer::Impl::compute_gradients(const Seq2SeqBatch& batch) {
  TrainingPass pass;
  pass.dropout_key =
      stream_key(stage.seed, Purpose::kDropout, {static_cast<std::uint64_t>(position.stage_step)});
  pass.dropout = options.dropout;
  pass.tau = options.tau;
  LossSum loss;
  const std::vector<Range> parts = microbatches(batch, options.microbatch_tokens);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i + 1 == parts.size()) pass.on_gradient_ready = [this](std::size_t p) { reducer.ready(p); };
    loss += model.accumulate_gradients(parts.size() == 1 ? batch : batch_part(batch, parts[i]), pass);
  }
  return loss;
}

/// Nothing for a global batch without samples: shards of different sizes may leave one at the end of an
/// epoch. Such a step changes no weights.
std::optional<StepReport> Trainer::Impl::step(const Seq2SeqBatch& batch, StepTotals& totals) {
  ParameterStore& store = model.parameters();
  Stopwatch watch;
  store.flat_gradients().zero_();
  reducer.begin();
  const LossSum loss = compute_gradients(batch);
  totals.loss = loss.sum;
  totals.tokens = static_cast<double>(loss.tokens);
  totals.samples = static_cast<double>(batch.samples());
  throughput.compute_s += watch.lap();
  reducer.finish();
  totals.sum_over(world);
  throughput.communication_s += watch.lap();
  const TrainPosition after{position.epoch, position.step + 1, position.stage_step + 1};
  if (totals.tokens == 0) {
    position = after;
    return std::nullopt;
  }
  StepReport report;
  report.position = after;
  report.steps = steps;
  report.samples = static_cast<std::int64_t>(totals.samples);
  report.loss = totals.loss / totals.tokens;
  report.lr = learning_rate(options.schedule, options.lr, options.warmup, position.stage_step, steps);
  report.gradient_norm = gradient_norm(store) / totals.tokens;
  check_finite(report);
  const double clip = options.clip > 0 ? std::min(1.0, options.clip / report.gradient_norm) : 1.0;
  optimizer.step(report.lr, clip / totals.tokens);
  throughput.samples += report.samples;
  throughput.target_tokens += static_cast<std::int64_t>(totals.tokens);
  throughput.source_tokens += batch.source.size();
  throughput.compute_s += watch.lap();
  position = after;
  return report;
}

void Trainer::Impl::check_finite(const StepReport& report) const {
  if (std::isfinite(report.loss) && std::isfinite(report.gradient_norm)) return;
  throw DataError(stage.name + ": the loss is " + std::to_string(report.loss) + " and the gradient norm " +
                  std::to_string(report.gradient_norm) + " in step " +
                  std::to_string(position.stage_step + 1) + " of " + std::to_string(steps) + " (epoch " +
                  std::to_string(position.epoch + 1) + ", train.lr " + std::to_string(report.lr) +
                  "); lower train.lr or add train.warmup; the last checkpoint holds sound weights");
}

void Trainer::Impl::compare_parameters() {
  if (world.size() == 1) return;
  const at::Tensor values = model.parameters().flat_values().cpu();
  const std::span<const float> elements(values.const_data_ptr<float>(),
                                        static_cast<std::size_t>(values.numel()));
  world.require_equal(sha256(std::as_bytes(elements)),
                      stage.name + ": the parameters after step " + std::to_string(position.stage_step));
}

Trainer::Trainer(T5Model& model, BatchSource& source, const TrainOptions& options, TrainStage stage,
                 Communicator& world, DeviceReducer* device_sums)
    : impl_(std::make_unique<Impl>(model, source, options, std::move(stage), world, device_sums)) {}
Trainer::~Trainer() = default;

TrainEnd Trainer::train(const TrainHooks& hooks) {
  Impl& s = *impl_;
  s.throughput = {};
  const Stopwatch whole;
  std::optional<BatchPrefetcher> batches;
  for (;;) {
    if (s.position.step == s.steps_per_epoch) {
      const bool goes_on = !hooks.on_epoch || hooks.on_epoch(s.position.epoch + 1);
      s.position.epoch = goes_on ? s.position.epoch + 1 : s.stage.epochs;
      s.position.step = 0;
    }
    if (s.position.epoch >= s.stage.epochs || s.position.stage_step >= s.steps) break;

    const Stopwatch waiting;
    if (!batches) batches.emplace(s.source, s.position, s.steps);
    const Seq2SeqBatch batch = batches->take();
    s.throughput.data_s += waiting.seconds();
    StepTotals totals;
    totals.stop_wishes = hooks.should_stop && hooks.should_stop() ? 1 : 0;
    totals.checkpoint_due = s.world.is_root() && hooks.checkpoint_due && hooks.checkpoint_due() ? 1 : 0;
    std::optional<StepReport> report = s.step(batch, totals);
    s.throughput.seconds = whole.seconds();
    if (s.options.hash_every > 0 && s.position.stage_step % s.options.hash_every == 0) s.compare_parameters();
    if (report && hooks.on_step) {
      report->samples_per_s = per_second(static_cast<double>(s.throughput.samples), s.throughput.seconds);
      hooks.on_step(*report);
    }
    const bool stops = totals.stop_wishes > 0;
    if ((stops || totals.checkpoint_due > 0) && hooks.save) hooks.save();
    if (stops) return TrainEnd::kStopped;
  }
  if (s.options.hash_every > 0) s.compare_parameters();
  return TrainEnd::kDone;
}

void Trainer::restore(const TrainPosition& position, const OptimizerState& state) {
  Impl& s = *impl_;
  if (position.step > s.steps_per_epoch || position.stage_step > s.steps) {
    throw DataError("checkpoint: it stands at step " + std::to_string(position.step) +
                    " of an epoch that has " + std::to_string(s.steps_per_epoch) +
                    " now: give the dataset and options that it was made with");
  }
  const ParameterStore& store = s.model.parameters();
  flat_from_host(state.exp_avg, store, "exp_avg", s.optimizer.exp_avg());
  flat_from_host(state.exp_avg_sq, store, "exp_avg_sq", s.optimizer.exp_avg_sq());
  s.optimizer.set_steps(state.step);
  s.position = position;
}

OptimizerState Trainer::optimizer_state() const {
  const Impl& s = *impl_;
  const ParameterStore& store = s.model.parameters();
  return {s.optimizer.steps(), flat_to_host(s.optimizer.exp_avg(), store),
          flat_to_host(s.optimizer.exp_avg_sq(), store)};
}

const TrainPosition& Trainer::position() const {
  return impl_->position;
}
std::int64_t Trainer::total_steps() const {
  return impl_->steps;
}
const Throughput& Trainer::throughput() const {
  return impl_->throughput;
}

}  // namespace genrec
