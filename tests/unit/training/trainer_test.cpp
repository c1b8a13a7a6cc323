#include "training/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "model/huggingface.h"
#include "optim/adamw.h"
#include "support.h"
#include "tiny_training.h"

namespace genrec {
namespace {

using test::SmallWorld;
using test::TinyTraining;

TrainOptions small_options() {
  TrainOptions options;
  options.batch = 16;
  options.dropout = 0.1;
  options.lr = 1e-2;
  return options;
}

std::vector<double> losses(TinyTraining& training,
                           std::int64_t at_most = std::numeric_limits<std::int64_t>::max()) {
  std::vector<double> curve;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) { curve.push_back(report.loss); };
  hooks.should_stop = [&] { return static_cast<std::int64_t>(curve.size()) + 1 >= at_most; };
  (void)training.trainer.train(hooks);
  return curve;
}

TEST(Trainer, LearnsAndReports) {
  const SmallWorld world;
  TinyTraining training(world, small_options(), 30);
  std::vector<StepReport> reports;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) { reports.push_back(report); };
  EXPECT_EQ(training.trainer.train(hooks), TrainEnd::kDone);
  const std::int64_t per_epoch = training.source.steps_per_epoch();
  ASSERT_EQ(static_cast<std::int64_t>(reports.size()), 30 * per_epoch);
  EXPECT_EQ(training.trainer.total_steps(), 30 * per_epoch);
  EXPECT_LT(reports.back().loss, 0.6 * reports.front().loss);
  EXPECT_DOUBLE_EQ(reports.back().lr, 1e-2);
  EXPECT_GT(reports.back().samples_per_s, 0);
  EXPECT_EQ(training.trainer.position(), (TrainPosition{30, 0, 30 * per_epoch}));
  const Throughput& done = training.trainer.throughput();
  std::int64_t samples = 0;
  for (const StepReport& report : reports) samples += report.samples;
  EXPECT_EQ(done.samples, samples);
  EXPECT_EQ(done.target_tokens, 3 * samples);
  EXPECT_GE(done.seconds, done.compute_s);
}

TEST(Trainer, LossAndGradientAreMeansOverTheTargetTokens) {
  const SmallWorld world;
  TrainOptions options = small_options();
  options.dropout = 0;
  options.max_steps = 1;
  std::vector<double> by_temperature;
  for (const double tau : {1.0, 0.7}) {
    options.tau = tau;
    TinyTraining training(world, options, 1);
    TinyTraining reference(world, options, 1);
    const Seq2SeqBatch batch = reference.source.batch(0, 0);
    TrainingPass pass;
    pass.tau = tau;
    const LossSum sum = reference.model->accumulate_gradients(batch, pass);
    const double norm = reference.model->parameters().flat_gradients().norm().item<double>();
    StepReport report;
    TrainHooks hooks;
    hooks.on_step = [&](const StepReport& r) { report = r; };
    (void)training.trainer.train(hooks);
    EXPECT_EQ(report.position.stage_step, 1);
    EXPECT_NEAR(report.loss, sum.sum / static_cast<double>(sum.tokens), 1e-6) << tau;
    EXPECT_NEAR(report.gradient_norm, norm / static_cast<double>(sum.tokens), 1e-6) << tau;
    by_temperature.push_back(report.loss);
  }
  EXPECT_GT(std::abs(by_temperature[0] - by_temperature[1]), 1e-3);
}

/// The first moment after one step is 0.1 times the clipped mean gradient.
TEST(Trainer, ClipsTheMeanGradient) {
  const SmallWorld world;
  TrainOptions options = small_options();
  options.dropout = 0;
  options.max_steps = 1;
  TinyTraining reference(world, options, 1);
  const LossSum sum = reference.model->accumulate_gradients(reference.source.batch(0, 0), TrainingPass{});
  const at::Tensor mean =
      reference.model->parameters().gradient(0).flatten() / static_cast<double>(sum.tokens);
  const std::string& name = reference.model->parameters().entries()[0].name;
  const double norm = gradient_norm(reference.model->parameters()) / static_cast<double>(sum.tokens);
  for (const double clip : {0.0, norm / 3, norm * 3}) {
    options.clip = clip;
    TinyTraining training(world, options, 1);
    (void)training.trainer.train();
    const std::vector<float> moment = training.trainer.optimizer_state().exp_avg.at(name).to_float();
    const at::Tensor expected = mean * (clip == norm / 3 ? 0.1 / 3 : 0.1);
    ASSERT_EQ(static_cast<std::int64_t>(moment.size()), expected.numel());
    for (std::int64_t i = 0; i < expected.numel(); ++i) {
      ASSERT_NEAR(moment[static_cast<std::size_t>(i)], expected[i].item<float>(), 1e-6 * norm) << clip;
    }
  }
}

/// A fifth of ten steps up, then half a cosine: (1 + cos(pi k / 8)) / 2.
TEST(Trainer, FollowsTheScheduleFromItsFirstStep) {
  const SmallWorld world;
  TrainOptions options = small_options();
  options.schedule = "cosine";
  options.warmup = 0.2;
  options.max_steps = 10;
  TinyTraining training(world, options, 1000);
  std::vector<double> rates;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) { rates.push_back(report.lr / options.lr); };
  (void)training.trainer.train(hooks);
  const std::vector<double> expected{0.5, 1, 1, 0.96194, 0.85355, 0.69134, 0.5, 0.30866, 0.14645, 0.03806};
  ASSERT_EQ(rates.size(), expected.size());
  for (std::size_t i = 0; i < rates.size(); ++i) EXPECT_NEAR(rates[i], expected[i], 1e-5) << i;
}

TEST(Trainer, MicrobatchesChangeNothingButRounding) {
  const SmallWorld world;
  TrainOptions whole = small_options();
  whole.microbatch_tokens = 0;
  whole.max_steps = 10;
  TrainOptions cut = whole;
  cut.microbatch_tokens = 60;
  TinyTraining a(world, whole, 5), b(world, cut, 5);
  const auto expected = losses(a), found = losses(b);
  ASSERT_EQ(expected.size(), 10U);
  ASSERT_EQ(found.size(), 10U);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(found[i], expected[i], 1e-4 * expected[i]) << i;
}

/// Weights, optimiser and position through a checkpoint file, into new objects.
void hand_over(const TinyTraining& from, TinyTraining& to, bool with_moments = true) {
  test::TemporaryFolder folder;
  CheckpointState state;
  state.identifiers = SmallWorld::make_table();
  state.model = weights_to_host(*from.model);
  state.optimizer = from.trainer.optimizer_state();
  state.position = from.trainer.position();
  write_checkpoint(folder.path() / "a.h5", state);
  CheckpointState read = read_checkpoint(folder.path() / "a.h5");
  load_weights(*to.model, read.model, "a.h5", 99);
  if (!with_moments) {
    for (auto& [name, array] : read.optimizer->exp_avg)
      std::fill(array.bytes.begin(), array.bytes.end(), std::byte{0});
  }
  to.trainer.restore(read.position, *read.optimizer);
}

TEST(Trainer, ResumesBitForBit) {
  const SmallWorld world;
  TrainOptions options = small_options();
  options.schedule = "cosine";
  options.warmup = 0.2;
  TinyTraining straight(world, options, 4);
  const std::int64_t per_epoch = straight.source.steps_per_epoch();
  ASSERT_GT(per_epoch, 3);
  const auto curve = losses(straight);
  for (std::int64_t stop : {per_epoch - 1, per_epoch, per_epoch + 2}) {
    TinyTraining first(world, options, 4);
    EXPECT_EQ(losses(first, stop).size(), static_cast<std::size_t>(stop));
    TinyTraining second(world, options, 4);
    ASSERT_NE(second.weights(), first.weights());
    hand_over(first, second);
    ASSERT_EQ(second.weights(), first.weights());
    const auto rest = losses(second);
    ASSERT_EQ(rest.size() + static_cast<std::size_t>(stop), curve.size());
    EXPECT_EQ(rest, std::vector<double>(curve.begin() + stop, curve.end()));
    EXPECT_EQ(second.weights(), straight.weights()) << "stopped after " << stop;
    EXPECT_EQ(second.trainer.position(), straight.trainer.position());
  }
  // The comparison can tell: without the first moments the end is another one.
  TinyTraining first(world, options, 4), second(world, options, 4);
  (void)losses(first, per_epoch);
  hand_over(first, second, false);
  (void)losses(second);
  EXPECT_NE(second.weights(), straight.weights());
}

TEST(Trainer, RefusesTheStateOfAnotherModel) {
  const SmallWorld world;
  TinyTraining training(world, small_options(), 1);
  OptimizerState state = training.trainer.optimizer_state();
  const std::string name = state.exp_avg.begin()->first;
  OptimizerState absent = state;
  absent.exp_avg.erase(name);
  EXPECT_THROW(training.trainer.restore({}, absent), DataError);
  OptimizerState reshaped = state;
  reshaped.exp_avg_sq.at(name).shape = {-1};
  EXPECT_THROW(training.trainer.restore({}, reshaped), DataError);
  OptimizerState extra = state;
  extra.exp_avg["foreign"] = state.exp_avg.begin()->second;
  EXPECT_THROW(training.trainer.restore({}, extra), DataError);
}

TEST(Trainer, EpochHookComesOnceAnEpochAlsoAcrossAStop) {
  const SmallWorld world;
  TinyTraining training(world, small_options(), 3);
  const std::int64_t per_epoch = training.source.steps_per_epoch();
  std::vector<std::string> log;
  std::int64_t steps = 0;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport&) { ++steps; };
  hooks.should_stop = [&] { return steps + 1 == per_epoch; };
  hooks.save = [&] { log.push_back("save " + std::to_string(training.trainer.position().step)); };
  hooks.on_epoch = [&](std::int64_t done) {
    log.push_back("epoch " + std::to_string(done));
    return true;
  };
  EXPECT_EQ(training.trainer.train(hooks), TrainEnd::kStopped);
  EXPECT_EQ(log, (std::vector<std::string>{"save " + std::to_string(per_epoch)}));
  hooks.should_stop = nullptr;
  EXPECT_EQ(training.trainer.train(hooks), TrainEnd::kDone);
  EXPECT_EQ(log,
            (std::vector<std::string>{"save " + std::to_string(per_epoch), "epoch 1", "epoch 2", "epoch 3"}));
  EXPECT_EQ(steps, 3 * per_epoch);
}

TEST(Trainer, EpochHookMayEndTheStage) {
  const SmallWorld world;
  TinyTraining training(world, small_options(), 5);
  TrainHooks hooks;
  hooks.on_epoch = [](std::int64_t done) { return done < 2; };
  EXPECT_EQ(training.trainer.train(hooks), TrainEnd::kDone);
  EXPECT_EQ(training.trainer.position().stage_step, 2 * training.source.steps_per_epoch());
  std::int64_t steps = 0;
  hooks.on_step = [&](const StepReport&) { ++steps; };
  EXPECT_EQ(training.trainer.train(hooks), TrainEnd::kDone);
  EXPECT_EQ(steps, 0);
}

TEST(Trainer, SavesWhenDueAndGoesOn) {
  const SmallWorld world;
  TrainOptions options = small_options();
  options.max_steps = 7;
  TinyTraining training(world, options, 5);
  std::vector<std::int64_t> saved;
  std::int64_t asked = 0;
  TrainHooks hooks;
  hooks.checkpoint_due = [&] { return ++asked % 3 == 0; };
  hooks.save = [&] { saved.push_back(training.trainer.position().stage_step); };
  EXPECT_EQ(training.trainer.train(hooks), TrainEnd::kDone);
  EXPECT_EQ(saved, (std::vector<std::int64_t>{3, 6}));
  EXPECT_EQ(training.trainer.position().stage_step, 7);
}

TEST(Trainer, NothingToDoIsDone) {
  const SmallWorld world;
  TinyTraining training(world, small_options(), 0);
  const auto before = training.weights();
  EXPECT_EQ(training.trainer.train(), TrainEnd::kDone);
  EXPECT_EQ(training.weights(), before);
}

TEST(Trainer, ALossThatIsNotFiniteEndsTheRunBeforeTheWeightsChange) {
  const SmallWorld world;
  TinyTraining training(world, small_options(), 5);
  training.model->parameters().value(0).view({-1})[3] = std::numeric_limits<float>::infinity();
  training.model->parameters().refresh_compute();
  const auto before = training.weights();
  try {
    (void)training.trainer.train();
    FAIL();
  } catch (const DataError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("lower train.lr"), std::string::npos) << message;
    EXPECT_NE(message.find("step 1 of"), std::string::npos) << message;
  }
  EXPECT_EQ(training.weights(), before);
}

/// Fails at its third batch.
class FailingSource : public BatchSource {
 public:
  explicit FailingSource(BatchSource& inner) : inner_(inner) {}
  [[nodiscard]] std::int64_t steps_per_epoch() const override { return inner_.steps_per_epoch(); }
  [[nodiscard]] Seq2SeqBatch batch(std::int64_t epoch, std::int64_t step) override {
    if (++calls == 3) throw DataError("the third batch is bad");
    return inner_.batch(epoch, step);
  }
  int calls = 0;

 private:
  BatchSource& inner_;
};

TEST(Trainer, AnExceptionOfTheBackgroundThreadComesOut) {
  const SmallWorld world;
  TinyTraining training(world, small_options(), 5);
  FailingSource source(training.source);
  Trainer trainer(*training.model, source, small_options(), TrainStage{"tiny", 5, 1}, training.world);
  try {
    (void)trainer.train();
    FAIL();
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(), "the third batch is bad");
  }
  EXPECT_EQ(trainer.position().stage_step, 2);
}

TEST(Trainer, NeedsSamples) {
  const SmallWorld nobody(0);
  EXPECT_THROW(TinyTraining(nobody, small_options(), 1), DataError);
}

}  // namespace
}  // namespace genrec
