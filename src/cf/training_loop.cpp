#include "cf/training_loop.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <deque>
#include <span>

#include "base/error.h"
#include "base/stopwatch.h"
#include "optim/adamw.h"

namespace genrec {
namespace {

void check(const CfTrainOptions& options, const std::string& name) {
  const auto expect = [&](bool holds, const char* what) {
    if (!holds) throw UsageError(name + ": " + what);
  };
  expect(options.epochs >= 0, "epochs: expected at least 0");
  expect(options.eval_every >= 1, "eval-every: expected at least 1");
  expect(options.patience >= 0, "patience: expected at least 0 (never stops early)");
  expect(options.lr > 0, "lr: expected more than 0");
  expect(options.weight_decay >= 0, "weight-decay: expected at least 0");
}

std::string four_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4f", value);
  return text;
}

/// What one small sum over ranks brings together at every step.
struct StepTotals {
  double loss = 0, terms = 0, stop_wishes = 0, checkpoints_due = 0;
  void sum_over(Communicator& world) {
    std::array<double, 4> values = {loss, terms, stop_wishes, checkpoints_due};
    world.all_reduce_sum(std::span<double>(values));
    loss = values[0];
    terms = values[1];
    stop_wishes = values[2];
    checkpoints_due = values[3];
  }
};

/// A store with its optimiser, and its values at the best validation so far.
struct Trained {
  Trained(ParameterStore& parameters, double weight_decay)
      : store(parameters), optimizer(parameters, AdamWOptions{.weight_decay = weight_decay}) {}
  void keep_best() { best = store.flat_values().clone(); }
  void take_best() {
    store.flat_values().copy_(best);
    store.refresh_compute();
  }

  ParameterStore& store;
  AdamW optimizer;
  at::Tensor best;
};

class Training {
 public:
  Training(const CfTask& task, const CfTrainOptions& options, const CfTrainHooks& hooks, Communicator& world)
      : task_(task), options_(options), hooks_(hooks), world_(world) {
    for (ParameterStore* store : task.stores) trained_.emplace_back(*store, options.weight_decay);
  }

  CfTrainReport run() {
    const bool was_kept = restore();
    const std::int64_t begun = steps_done();
    if (hooks_.progress != nullptr) {
      hooks_.progress->start(task_.name, options_.epochs * task_.steps_per_epoch, "steps", steps_done());
    }
    bool goes_on = has_patience();
    while (goes_on && at_.epoch < options_.epochs) goes_on = run_epoch() && end_epoch();
    if (hooks_.progress != nullptr) hooks_.progress->finish();
    if (hooks_.save && !(was_kept && steps_done() == begun)) hooks_.save(state());
    if (at_.best_score) {
      for (Trained& trained : trained_) trained.take_best();
    }
    ready_to_score();
    return {.epochs = at_.epoch,
            .loss = at_.loss,
            .best_epoch = at_.best_score ? at_.best_epoch : at_.epoch,
            .steps_after = at_.best_score ? 0 : at_.step,
            .best_score = at_.best_score,
            .stopped = stopped_,
            .seconds = seconds()};
  }

 private:
  /// The buffers are those in training.
  [[nodiscard]] CfTrainState state() const {
    CfTrainState state{.progress = at_, .stores = {}};
    state.progress.seconds = seconds();
    for (const Trained& trained : trained_) {
      state.progress.optimizer_steps = trained.optimizer.steps();
      state.stores.push_back({.store = &trained.store,
                              .values = trained.store.flat_values(),
                              .exp_avg = trained.optimizer.exp_avg(),
                              .exp_avg_sq = trained.optimizer.exp_avg_sq(),
                              .best = trained.best});
    }
    return state;
  }

  /// False where there was nothing to go on from.
  bool restore() {
    CfTrainState kept = state();
    if (!hooks_.restore || !hooks_.restore(kept)) return false;
    at_ = kept.progress;
    for (std::size_t i = 0; i < trained_.size(); ++i) {
      trained_[i].store.refresh_compute();
      trained_[i].optimizer.set_steps(at_.optimizer_steps);
      trained_[i].best = kept.stores[i].best;
    }
    return true;
  }

  /// False when a rank wants to stop.
  bool run_epoch() {
    for (; at_.step < task_.steps_per_epoch; ++at_.step) {
      StepTotals totals;
      totals.stop_wishes = hooks_.should_stop && hooks_.should_stop() ? 1 : 0;
      totals.checkpoints_due = world_.is_root() && hooks_.checkpoint_due && hooks_.checkpoint_due() ? 1 : 0;
      const BatchLoss mine = task_.gradients(at_.epoch, at_.step);
      totals.loss = mine.sum;
      totals.terms = mine.terms;
      totals.sum_over(world_);
      if (totals.stop_wishes > 0) {
        stopped_ = true;
        return false;
      }
      if (totals.checkpoints_due > 0 && hooks_.save) hooks_.save(state());
      if (totals.terms == 0) continue;
      check_finite(totals);
      for (Trained& trained : trained_) trained.optimizer.step(options_.lr, 1 / totals.terms);
      at_.loss_sum += totals.loss;
      at_.loss_terms += totals.terms;
      show();
    }
    at_.loss = at_.loss_terms > 0 ? at_.loss_sum / at_.loss_terms : 0;
    at_.loss_sum = at_.loss_terms = 0;
    at_.step = 0;
    ++at_.epoch;
    return true;
  }

  /// False when validation has not improved for too long.
  bool end_epoch() {
    CfEpoch epoch{.epoch = at_.epoch, .loss = at_.loss, .score = std::nullopt, .seconds = 0};
    bool goes_on = true;
    if (hooks_.validate && (at_.epoch % options_.eval_every == 0 || at_.epoch == options_.epochs)) {
      ready_to_score();
      epoch.score = hooks_.validate();
      note(*epoch.score);
      goes_on = has_patience();
    }
    epoch.seconds = seconds();
    if (hooks_.on_epoch) hooks_.on_epoch(epoch);
    return goes_on;
  }

  void note(double score) {
    if (at_.best_score && !(score > *at_.best_score)) {
      ++at_.without_gain;
      return;
    }
    at_.best_score = score;
    at_.best_epoch = at_.epoch;
    at_.without_gain = 0;
    for (Trained& trained : trained_) trained.keep_best();
  }
  [[nodiscard]] bool has_patience() const {
    return options_.patience == 0 || at_.without_gain < options_.patience;
  }

  void ready_to_score() {
    check_parameters();
    if (task_.ready_to_score) task_.ready_to_score();
  }

  void check_finite(const StepTotals& totals) const {
    if (std::isfinite(totals.loss)) return;
    std::string message = task_.name;
    message += ": the loss is not finite in step " + std::to_string(at_.step + 1) + " of epoch " +
               std::to_string(at_.epoch + 1) + " at lr " + std::to_string(options_.lr) + "; lower lr";
    throw DataError(message);
  }

  /// A step can spoil parameters after a finite loss, and those of one rank's users on that rank alone. Seen
  /// here all ranks fail; in the scores one would, while the others wait for it.
  void check_parameters() const {
    bool finite = true;
    for (const Trained& trained : trained_) {
      finite = finite && at::isfinite(trained.store.flat_values()).all().item<bool>();
    }
    if (!world_.any(!finite)) return;
    std::string message = task_.name;
    message += ": parameters are not finite after " + std::to_string(at_.epoch) + " epochs at lr " +
               std::to_string(options_.lr) + "; lower lr";
    throw DataError(message);
  }

  void show() {
    if (hooks_.progress == nullptr) return;
    std::string text("epoch ");
    text += std::to_string(at_.epoch + 1) + ", loss " + four_digits(at_.loss_sum / at_.loss_terms);
    if (at_.best_score) {
      text += ", best " + four_digits(*at_.best_score) + " in epoch " + std::to_string(at_.best_epoch);
    }
    hooks_.progress->update(steps_done() + 1, text);
  }

  [[nodiscard]] std::int64_t steps_done() const { return at_.epoch * task_.steps_per_epoch + at_.step; }
  [[nodiscard]] double seconds() const {
    return at_.seconds + watch_.seconds();
  }

  const CfTask& task_;
  const CfTrainOptions& options_;
  const CfTrainHooks& hooks_;
  Communicator& world_;
  std::deque<Trained> trained_;
  CfTrainProgress at_;  ///< its seconds: of earlier calls
  bool stopped_ = false;
  Stopwatch watch_;
};

}  // namespace

std::string origin_of_parameters(const CfTrainReport& report) {
  std::string text("epoch ");
  text += std::to_string(report.best_epoch);
  if (report.steps_after > 0) {
    text += " and " + std::to_string(report.steps_after);
    text += report.steps_after == 1 ? " step of the next" : " steps of the next";
  }
  return text;
}

CfTrainReport train_collaborative(const CfTask& task, const CfTrainOptions& options,
                                  const CfTrainHooks& hooks, Communicator& world) {
  check(options, task.name);
  return Training(task, options, hooks, world).run();
}

}  // namespace genrec
