#include <gtest/gtest.h>

#include "mpi_main.h"
#include "support.h"
#include "training/checkpoint_folder.h"
#include "unit/training/small_world.h"

namespace genrec {
namespace {

TEST(CheckpointFolder, RankZeroWritesAndAllRead) {
  Communicator& world = test::runtime().world();
  test::TemporaryFolder temporary;
  // Other ranks' folders stay empty: only rank 0 may touch the files.
  CheckpointFolder folder(temporary.path() / "checkpoints", 1, world);
  EXPECT_FALSE(folder.load_last("print", "Small").has_value());
  CheckpointState state;
  state.dataset = "Small";
  state.fingerprint = "print";
  state.stage = "align";
  state.seed = 7;
  state.step = 12;
  state.position = {1, 2, 12};
  const std::vector<float> values = {1.5F, -2};
  state.model["shared.weight"] = HostArray::of<float>(std::span<const float>(values), {2, 1});
  state.optimizer = OptimizerState{12, state.model, state.model};
  state.regenerated = 2;
  state.candidates = {{"confidence", HostArray::of<float>(std::span<const float>(values), {2})}};
  state.spiece = std::string("a\0b", 3);
  state.vocabulary = {"<a_0>", "", "<b_0>"};
  state.codebooks = HostArray::of<float>(std::span<const float>(values), {1, 1, 2});
  state.identifiers = test::SmallWorld::make_table();
  state.history = {state.identifiers, state.identifiers};
  if (!world.is_root()) state.stage = "only rank 0's state is written";
  folder.save(state);
  folder.mark_best();
  EXPECT_EQ(std::filesystem::exists(folder.path() / "last"), world.is_root());

  for (const CheckpointState& read : {*folder.load_last("print", "Small"), folder.load("best")}) {
    EXPECT_EQ(read.stage, "align");
    EXPECT_EQ(read.seed, 7U);
    EXPECT_EQ(read.step, 12);
    EXPECT_EQ(read.position, (TrainPosition{1, 2, 12}));
    ASSERT_EQ(read.model.size(), 1U);
    EXPECT_EQ(read.model.at("shared.weight").shape, (std::vector<std::int64_t>{2, 1}));
    EXPECT_EQ(read.model.at("shared.weight").bytes, state.model["shared.weight"].bytes);
    ASSERT_TRUE(read.optimizer.has_value());
    EXPECT_EQ(read.optimizer->step, 12);
    EXPECT_EQ(read.optimizer->exp_avg_sq.at("shared.weight").bytes, state.model["shared.weight"].bytes);
    EXPECT_TRUE(read.aligned.empty());
    EXPECT_EQ(read.regenerated, 2);
    EXPECT_EQ(read.candidates.contains("confidence"), world.is_root());
    EXPECT_EQ(read.spiece, state.spiece);
    EXPECT_EQ(read.vocabulary, state.vocabulary);
    EXPECT_EQ(read.codebooks.shape, state.codebooks.shape);
    EXPECT_EQ(read.codebooks.bytes, state.codebooks.bytes);
    EXPECT_EQ(read.identifiers.codes(), state.identifiers.codes());
    ASSERT_EQ(read.history.size(), 2U);
    EXPECT_EQ(read.history[1].symbols(), state.identifiers.symbols());
  }
}

}  // namespace
}  // namespace genrec
