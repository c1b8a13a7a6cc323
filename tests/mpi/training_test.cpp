#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "mpi_main.h"
#include "unit/training/tiny_training.h"

namespace genrec {
namespace {

using test::SmallWorld;
using test::TinyTraining;

/// Losses and gradient norms of all steps, and the final weights.
struct Outcome {
  std::vector<double> losses, norms;
  std::vector<float> weights;
};

Outcome outcome(const SmallWorld& small, const TrainOptions& options, Communicator* world) {
  TinyTraining training(small, options, 1000, world);
  Outcome result;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) {
    result.losses.push_back(report.loss);
    result.norms.push_back(report.gradient_norm);
  };
  EXPECT_EQ(training.trainer.train(hooks), TrainEnd::kDone);
  result.weights = training.weights();
  return result;
}

/// Trains with all ranks and, in the same program, in a world of one; returns the number of steps that had
/// samples.
std::int64_t expect_like_one_rank(const SmallWorld& small, const TrainOptions& options) {
  const Outcome alone = outcome(small, options, nullptr);
  const Outcome together = outcome(small, options, &test::runtime().world());
  EXPECT_EQ(together.losses.size(), alone.losses.size());
  for (std::size_t i = 0; i < std::min(alone.losses.size(), together.losses.size()); ++i) {
    EXPECT_NEAR(together.losses[i], alone.losses[i], 1e-4 * alone.losses[i]) << "step " << i;
    EXPECT_NEAR(together.norms[i], alone.norms[i], 1e-3 * alone.norms[i]) << "step " << i;
  }
  // Adam divides by gradients that are almost 0: single weights may differ more.
  double squares = 0;
  for (std::size_t i = 0; i < alone.weights.size(); ++i) {
    squares += std::pow(static_cast<double>(together.weights[i]) - alone.weights[i], 2);
  }
  EXPECT_LT(std::sqrt(squares / static_cast<double>(alone.weights.size())), 1e-4);
  EXPECT_LT(alone.losses.back(), alone.losses.front());
  return static_cast<std::int64_t>(alone.losses.size());
}

TrainOptions fifty_steps() {
  TrainOptions options;
  options.batch = 16;
  options.lr = 1e-3;
  options.dropout = 0;
  options.max_steps = 50;
  options.hash_every = 10;  // compares the parameters over ranks, and throws
  return options;
}

TEST(DataParallel, LossCurveIsThatOfOneRank) {
  EXPECT_EQ(expect_like_one_rank(SmallWorld(), fifty_steps()), 50);
}

TEST(DataParallel, DropoutMasksFollowTheSamples) {
  TrainOptions options = fifty_steps();
  options.dropout = 0.2;
  EXPECT_EQ(expect_like_one_rank(SmallWorld(), options), 50);
}

TEST(DataParallel, MicrobatchesOfDifferentNumber) {
  TrainOptions options = fifty_steps();
  options.microbatch_tokens = 40;
  EXPECT_EQ(expect_like_one_rank(SmallWorld(), options), 50);
}

TEST(DataParallel, RanksWithoutSamplesTakePart) {
  // Ten samples of unequal shards in batches of two: some ranks, and in some steps all, have none.
  // ranks.
  TrainOptions options = fifty_steps();
  options.batch = 2;
  const std::int64_t steps = expect_like_one_rank(SmallWorld(5), options);
  EXPECT_GT(steps, 30);
  EXPECT_LT(steps, 50);
}

TEST(DataParallel, OneRanksWishStopsAllAtTheSameStep) {
  Communicator& world = test::runtime().world();
  const SmallWorld small;
  TinyTraining training(small, fifty_steps(), 1000, &world);
  std::int64_t steps = 0, saves = 0;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport&) { ++steps; };
  hooks.should_stop = [&] { return world.rank() == world.size() - 1 && steps >= 6; };
  hooks.save = [&] { ++saves; };
  EXPECT_EQ(training.trainer.train(hooks), TrainEnd::kStopped);
  EXPECT_EQ(steps, 7);
  EXPECT_EQ(saves, 1);
}

TEST(DataParallel, RankZerosClockDecidesOnCheckpoints) {
  Communicator& world = test::runtime().world();
  const SmallWorld small;
  TrainOptions options = fifty_steps();
  options.max_steps = 10;
  TinyTraining training(small, options, 1000, &world);
  std::int64_t asked = 0;
  std::vector<std::int64_t> saved;
  TrainHooks hooks;
  hooks.checkpoint_due = [&] { return world.rank() != 0 || ++asked == 4; };
  hooks.save = [&] { saved.push_back(training.trainer.position().stage_step); };
  (void)training.trainer.train(hooks);
  EXPECT_EQ(saved, (std::vector<std::int64_t>{4}));
}

TEST(DataParallel, DifferentParametersAreNoticed) {
  Communicator& world = test::runtime().world();
  if (world.size() == 1) GTEST_SKIP() << "one rank has nothing to differ from";
  const SmallWorld small;
  TinyTraining training(small, fifty_steps(), 1000, &world);
  if (world.rank() == 1) training.model->parameters().value(0).view({-1})[0] += 1e-3F;
  try {
    (void)training.trainer.train();
    ADD_FAILURE() << "rank " << world.rank() << " noticed nothing";
  } catch (const std::runtime_error& failure) {
    const std::string text = failure.what();
    EXPECT_NE(text.find("differ"), std::string::npos) << text;
    EXPECT_NE(text.find("after step 10 "), std::string::npos) << text;
  }
}

TEST(Alignment, GlobalBatchesArePartitionedOverRanks) {
  Communicator& world = test::runtime().world();
  const SmallWorld small;
  const TextTokenizer text = TextTokenizer::train(prompt_texts(builtin_templates()), 150, 1);
  const Prompts prompts(builtin_templates(), text);
  const TitlePieces titles(std::vector<std::string>(SmallWorld::kItems, "one item"), text, 64);
  const AlignmentTask task(titles, small.items, prompts);
  AlignmentSource source(task, world.rank(), world.size(), 16, 42);
  const Seq2SeqBatch mine = source.batch(0, 1);
  std::vector<std::uint64_t> keys;
  for (const auto& bytes : world.all_gather(std::as_bytes(std::span(mine.keys)))) {
    for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
      std::uint64_t key;
      std::memcpy(&key, bytes.data() + i, sizeof(key));
      keys.push_back(key);
    }
  }
  AlignmentSource whole(task, 0, 1, 16, 42);
  Seq2SeqBatch all = whole.batch(0, 1);
  std::ranges::sort(keys);
  std::ranges::sort(all.keys);
  EXPECT_EQ(keys, all.keys);
}

}  // namespace
}  // namespace genrec
