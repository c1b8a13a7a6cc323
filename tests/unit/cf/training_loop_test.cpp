#include "cf/training_loop.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <optional>

#include "base/error.h"

namespace genrec {
namespace {

using ::testing::ElementsAre;

/// One parameter w, pulled with constant force: every step of AdamW adds lr.
struct Puller {
  ParameterStore store{at::kCPU, Precision::kFloat32};
  CfTask task;
  int readied = 0;
  std::vector<std::int64_t> steps;

  Puller() {
    store.add("w", {1}, false);
    store.allocate();
    task.name = "puller";
    task.steps_per_epoch = 2;
    task.stores = {&store};
    task.gradients = [this](std::int64_t epoch, std::int64_t step) {
      steps.push_back(epoch * 10 + step);
      store.gradient(0).fill_(-8);
      return BatchLoss{.sum = 12, .terms = 4};
    };
    task.ready_to_score = [this] { ++readied; };
  }
  [[nodiscard]] double value() const { return store.value(0).item<double>(); }
};

CfTrainOptions few_epochs(std::int64_t epochs) {
  CfTrainOptions options;
  options.epochs = epochs;
  options.lr = 0.5;
  return options;
}

TEST(TrainCollaborative, TakesAStepABatch) {
  Puller puller;
  const auto world = make_single_communicator();
  std::vector<std::int64_t> told;
  CfTrainHooks hooks;
  hooks.on_epoch = [&](const CfEpoch& epoch) {
    told.push_back(epoch.epoch);
    EXPECT_DOUBLE_EQ(epoch.loss, 3);
    EXPECT_FALSE(epoch.score.has_value());
  };
  const CfTrainReport report = train_collaborative(puller.task, few_epochs(3), hooks, *world);
  EXPECT_THAT(puller.steps, ElementsAre(0, 1, 10, 11, 20, 21));
  EXPECT_THAT(told, ElementsAre(1, 2, 3));
  EXPECT_NEAR(puller.value(), 6 * 0.5, 1e-4);
  EXPECT_EQ(report.epochs, 3);
  EXPECT_EQ(report.best_epoch, 3);
  EXPECT_DOUBLE_EQ(report.loss, 3);
  EXPECT_FALSE(report.stopped);
  EXPECT_EQ(puller.readied, 1);
}

TEST(TrainCollaborative, KeepsTheBestAndStopsWithoutGain) {
  Puller puller;
  const auto world = make_single_communicator();
  CfTrainOptions options = few_epochs(20);
  options.patience = 2;
  std::vector<double> values;
  CfTrainHooks hooks;
  hooks.validate = [&] {
    values.push_back(puller.value());
    return -std::abs(puller.value() - 2.2);  // best at 2, after two epochs
  };
  const CfTrainReport report = train_collaborative(puller.task, options, hooks, *world);
  EXPECT_EQ(report.epochs, 4);
  EXPECT_EQ(report.best_epoch, 2);
  EXPECT_NEAR(report.best_score.value_or(0), -0.2, 1e-4);
  EXPECT_NEAR(puller.value(), 2, 1e-4);
  EXPECT_EQ(puller.readied, 5) << "before each validation and at the end";
  EXPECT_EQ(values.size(), 4U);
}

TEST(TrainCollaborative, ValidatesEverySoManyEpochsAndAtTheEnd) {
  Puller puller;
  const auto world = make_single_communicator();
  CfTrainOptions options = few_epochs(7);
  options.eval_every = 3;
  options.patience = 0;
  std::vector<std::int64_t> validated;
  CfTrainHooks hooks;
  hooks.validate = [] { return 1.0; };
  hooks.on_epoch = [&](const CfEpoch& epoch) {
    if (epoch.score) validated.push_back(epoch.epoch);
  };
  const CfTrainReport report = train_collaborative(puller.task, options, hooks, *world);
  EXPECT_THAT(validated, ElementsAre(3, 6, 7));
  EXPECT_EQ(report.best_epoch, 3) << "the first of equals";
}

TEST(TrainCollaborative, StopsOnWish) {
  Puller puller;
  const auto world = make_single_communicator();
  CfTrainHooks hooks;
  hooks.should_stop = [&] { return puller.steps.size() >= 3; };
  const CfTrainReport report = train_collaborative(puller.task, few_epochs(5), hooks, *world);
  EXPECT_TRUE(report.stopped);
  EXPECT_EQ(report.epochs, 1);
  EXPECT_NEAR(puller.value(), 3 * 0.5, 1e-4);
  EXPECT_EQ(report.best_epoch, 1);
  EXPECT_EQ(report.steps_after, 1);
  EXPECT_EQ(origin_of_parameters(report), "epoch 1 and 1 step of the next");
}

TEST(TrainCollaborative, AStopAfterAValidationLeavesNoPartOfAnEpoch) {
  Puller puller;
  const auto world = make_single_communicator();
  CfTrainHooks hooks;
  hooks.validate = [] { return 1.0; };
  hooks.should_stop = [&] { return puller.steps.size() >= 3; };
  const CfTrainReport report = train_collaborative(puller.task, few_epochs(5), hooks, *world);
  EXPECT_TRUE(report.stopped);
  EXPECT_NEAR(puller.value(), 2 * 0.5, 1e-4);
  EXPECT_EQ(report.steps_after, 0);
  EXPECT_EQ(origin_of_parameters(report), "epoch 1");
}

/// What a file would hold of a state.
struct KeptState {
  CfTrainProgress progress;
  at::Tensor values, exp_avg, exp_avg_sq, best;
  explicit KeptState(const CfTrainState& state)
      : progress(state.progress),
        values(state.stores.at(0).values.clone()),
        exp_avg(state.stores.at(0).exp_avg.clone()),
        exp_avg_sq(state.stores.at(0).exp_avg_sq.clone()) {
    if (state.stores.at(0).best.defined()) best = state.stores.at(0).best.clone();
  }
  void fill(CfTrainState& state) const {
    state.progress = progress;
    state.stores.at(0).values.copy_(values);
    state.stores.at(0).exp_avg.copy_(exp_avg);
    state.stores.at(0).exp_avg_sq.copy_(exp_avg_sq);
    state.stores.at(0).best = best;
  }
};

/// Gradients and losses of their own at every step: nothing can be repeated or left out unnoticed.
struct UnevenPuller : Puller {
  UnevenPuller() {
    task.steps_per_epoch = 3;
    task.gradients = [this](std::int64_t epoch, std::int64_t step) {
      const auto place = static_cast<double>(3 * epoch + step);
      store.gradient(0).fill_(std::sin(place) - 0.3 * value());
      return BatchLoss{.sum = 1 + std::cos(place), .terms = 2 + place};
    };
  }
};

TEST(TrainCollaborative, StoppedAnywhereAndRestoredItEndsAsIfLetAlone) {
  CfTrainOptions options = few_epochs(6);
  options.eval_every = 2;
  options.patience = 2;
  const auto world = make_single_communicator();
  const auto score_of = [](const Puller& puller) { return -std::abs(puller.value() - 1.5); };
  UnevenPuller whole;
  CfTrainHooks plain;
  plain.validate = [&] { return score_of(whole); };
  const CfTrainReport expected = train_collaborative(whole.task, options, plain, *world);
  for (std::int64_t stop_at = 0; stop_at <= 18; ++stop_at) {
    std::optional<KeptState> kept;
    for (const bool again : {false, true}) {
      UnevenPuller puller;
      std::int64_t asked = 0;
      CfTrainHooks hooks;
      hooks.validate = [&] { return score_of(puller); };
      hooks.should_stop = [&] { return !again && asked++ >= stop_at; };
      hooks.save = [&](const CfTrainState& state) { kept.emplace(state); };
      hooks.restore = [&](CfTrainState& state) {
        if (again) kept->fill(state);
        return again;
      };
      const CfTrainReport report = train_collaborative(puller.task, options, hooks, *world);
      if (!again) continue;
      EXPECT_EQ(puller.value(), whole.value()) << "stopped at " << stop_at;
      EXPECT_EQ(report.loss, expected.loss) << "stopped at " << stop_at;
      EXPECT_EQ(report.epochs, expected.epochs);
      EXPECT_EQ(report.best_epoch, expected.best_epoch);
      EXPECT_EQ(report.best_score, expected.best_score);
      EXPECT_FALSE(report.stopped);
      EXPECT_GE(report.seconds, kept->progress.seconds);
    }
  }
}

TEST(TrainCollaborative, AFinishedTrainingIsNotTrainedOn) {
  CfTrainOptions options = few_epochs(20);
  options.patience = 2;
  const auto world = make_single_communicator();
  std::optional<KeptState> kept;
  for (const bool again : {false, true}) {
    Puller puller;
    CfTrainHooks hooks;
    hooks.validate = [&] { return -std::abs(puller.value() - 2.2); };
    hooks.save = [&](const CfTrainState& state) { kept.emplace(state); };
    hooks.restore = [&](CfTrainState& state) {
      if (again) kept->fill(state);
      return again;
    };
    const CfTrainReport report = train_collaborative(puller.task, options, hooks, *world);
    EXPECT_EQ(report.epochs, 4);
    EXPECT_EQ(puller.steps.empty(), again) << "patience was lost";
    EXPECT_NEAR(puller.value(), 2, 1e-4) << "the best weights";
  }
}

TEST(TrainCollaborative, KeepsAStateWhenOneIsDue) {
  Puller puller;
  const auto world = make_single_communicator();
  std::vector<std::int64_t> kept;
  CfTrainHooks hooks;
  hooks.checkpoint_due = [&] { return puller.steps.size() % 3 == 2; };
  hooks.save = [&](const CfTrainState& state) {
    kept.push_back(state.progress.epoch * 10 + state.progress.step);
    EXPECT_EQ(state.progress.optimizer_steps, 2 * state.progress.epoch + state.progress.step);
  };
  train_collaborative(puller.task, few_epochs(3), hooks, *world);
  EXPECT_THAT(kept, ElementsAre(10, 21, 30)) << "before the third and the sixth step, and at the end";
}

TEST(TrainCollaborative, ABatchWithoutSamplesChangesNothing) {
  Puller puller;
  puller.task.gradients = [&](std::int64_t, std::int64_t) {
    puller.store.gradient(0).zero_();
    return BatchLoss{};
  };
  const auto world = make_single_communicator();
  EXPECT_EQ(train_collaborative(puller.task, few_epochs(2), {}, *world).loss, 0);
  EXPECT_EQ(puller.value(), 0);
}

TEST(TrainCollaborative, ParametersThatAreNotFiniteAreADataErrorBeforeTheyScore) {
  Puller puller;
  puller.task.gradients = [&](std::int64_t, std::int64_t) {
    puller.store.gradient(0).fill_(std::numeric_limits<float>::quiet_NaN());
    return BatchLoss{.sum = 12, .terms = 4};
  };
  const auto world = make_single_communicator();
  CfTrainHooks hooks;
  int validations = 0;
  hooks.validate = [&] { return ++validations; };
  EXPECT_THROW(train_collaborative(puller.task, few_epochs(2), hooks, *world), DataError);
  EXPECT_THROW(train_collaborative(puller.task, few_epochs(1), {}, *world), DataError);
  EXPECT_EQ(validations, 0);
  EXPECT_EQ(puller.readied, 0);
}

TEST(TrainCollaborative, ALossThatIsNotFiniteIsADataError) {
  Puller puller;
  puller.task.gradients = [](std::int64_t, std::int64_t) {
    return BatchLoss{.sum = std::numeric_limits<double>::quiet_NaN(), .terms = 1};
  };
  const auto world = make_single_communicator();
  EXPECT_THROW(train_collaborative(puller.task, few_epochs(2), {}, *world), DataError);
  EXPECT_EQ(puller.value(), 0);
  CfTrainOptions options = few_epochs(1);
  options.eval_every = 0;
  EXPECT_THROW(train_collaborative(puller.task, options, {}, *world), UsageError);
}

}  // namespace
}  // namespace genrec
