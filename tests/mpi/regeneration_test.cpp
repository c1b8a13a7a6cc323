#include "siit/regeneration.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"
#include "mpi_main.h"
#include "unit/decoding/tiny_model.h"

namespace genrec {
namespace {

using CandidatesOfItems = std::vector<std::vector<Hypothesis>>;

/// Candidates of the items in `parts`, one after the other; on the root of `world`.
CandidatesOfItems regenerated(const std::vector<Range>& parts, Communicator& world) {
  T5Model model(test::tiny_config(), at::kCPU, Precision::kFloat32);
  model.initialise(3);
  const TokenAutomaton automaton = positionwise_automaton({{5, 6, 7, 8}, {9, 10, 11}, {12, 13, 14}}, 2);
  const auto prompt = [](ItemId item, PackedSequences& sources) {
    for (ItemId i = 0; i <= item % 5; ++i) sources.tokens.push_back(3 + (item * 7 + i) % 45);
    sources.tokens.push_back(kEndToken);
    sources.close_sequence();
  };
  CandidatesOfItems found;
  std::int64_t next = parts.front().begin;
  for (const Range& part : parts) {
    regenerate_identifiers(
        model, prompt, automaton, part, {.candidates = 6, .block = 4, .threads = 2}, world,
        [&](ItemId item, std::span<const Hypothesis> mine) {
          EXPECT_EQ(item, next++);
          found.emplace_back(mine.begin(), mine.end());
        },
        [](std::int64_t) {});
  }
  return found;
}

TEST(Regeneration, IsTheSameHoweverTheCatalogueIsCutAndDealt) {
  Communicator& world = test::runtime().world();
  const auto alone = make_single_communicator();
  const CandidatesOfItems whole = regenerated({{0, 43}}, *alone);
  for (const std::vector<Range>& parts : std::vector<std::vector<Range>>{
           {{0, 43}}, {{0, 20}, {20, 43}}, {{0, 4}, {4, 36}, {36, 43}}, {{0, 40}, {40, 40}, {40, 43}}}) {
    const CandidatesOfItems found = regenerated(parts, world);
    if (!world.is_root()) {
      EXPECT_TRUE(found.empty());
      continue;
    }
    ASSERT_EQ(found.size(), 43U);
    for (std::size_t item = 0; item < found.size(); ++item) {
      ASSERT_EQ(found[item].size(), whole[item].size()) << item;
      for (std::size_t c = 0; c < found[item].size(); ++c) {
        EXPECT_EQ(found[item][c].tokens, whole[item][c].tokens) << item;
        EXPECT_EQ(found[item][c].score, whole[item][c].score) << item;
      }
    }
  }
}

TEST(RoundLength, IsTheRootsAndFollowsItsTime) {
  Communicator& world = test::runtime().world();
  const int ranks = world.size();
  RoundLength length({.block = 4, .threads = world.rank() + 1});
  EXPECT_EQ(length.items(world), 8 * 4 * ranks);
  length.adapt(world.is_root() ? 1 : 1000);
  EXPECT_EQ(length.items(world), 960 * 4 * ranks);
  length.adapt(1e6);
  EXPECT_EQ(length.items(world), 8 * 4 * ranks) << "no fewer, however slow they are";
  length.adapt(0);
  EXPECT_GT(length.items(world), 100'000);
}

TEST(Regeneration, AStopLeavesTheSinkAsItWas) {
  Communicator& world = test::runtime().world();
  T5Model model(test::tiny_config(), at::kCPU, Precision::kFloat32);
  model.initialise(3);
  const auto prompt = [](ItemId, PackedSequences& sources) {
    sources.tokens.push_back(kEndToken);
    sources.close_sequence();
  };
  std::int64_t seen = 0;
  const auto stops_on_last_rank = [&](std::int64_t) {
    if (world.rank() == world.size() - 1) throw StoppedEarly("enough");
  };
  EXPECT_THROW(
      regenerate_identifiers(
          model, prompt, positionwise_automaton({{5, 6, 7, 8}}, 1), {0, 40}, {.candidates = 2, .block = 4},
          world, [&](ItemId, std::span<const Hypothesis>) { ++seen; }, stops_on_last_rank),
      StoppedEarly);
  EXPECT_EQ(seen, 0);
}

}  // namespace
}  // namespace genrec
