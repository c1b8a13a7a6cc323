#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "comm/mpi_communicator.h"
#include "mpi/mpi_main.h"

namespace genrec {
namespace {

/// Bytes that tell the rank and the place; ranks hold different amounts, rank 1 none.
std::vector<std::byte> bytes_of(int rank) {
  std::vector<std::byte> bytes(rank == 1 ? 0 : 1000 + 10 * static_cast<std::size_t>(rank));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>((static_cast<std::size_t>(rank) * 31 + i) & 0xff);
  }
  return bytes;
}

class GatherTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  std::unique_ptr<Communicator> world_ = make_mpi_communicator(MPI_COMM_WORLD, GetParam());
};

INSTANTIATE_TEST_SUITE_P(MaxCount, GatherTest, ::testing::Values(kMaxMpiCount, 13));

TEST_P(GatherTest, AllGatherKeepsRankOrder) {
  const auto mine = bytes_of(world_->rank());
  const auto all = world_->all_gather(mine);
  ASSERT_EQ(all.size(), static_cast<std::size_t>(world_->size()));
  for (int rank = 0; rank < world_->size(); ++rank) {
    EXPECT_EQ(all[static_cast<std::size_t>(rank)], bytes_of(rank)) << rank;
  }
}

TEST_P(GatherTest, ChunksComeInRankOrderAndStaySmall) {
  constexpr std::size_t kChunk = 128;
  const auto mine = bytes_of(world_->rank());
  for (int root = 0; root < world_->size(); ++root) {
    std::vector<std::vector<std::byte>> all(static_cast<std::size_t>(world_->size()));
    std::vector<int> order;
    world_->gather_chunks(mine, root, kChunk, [&](int rank, std::span<const std::byte> chunk) {
      EXPECT_LE(chunk.size(), std::min(kChunk, GetParam()));
      EXPECT_FALSE(chunk.empty());
      order.push_back(rank);
      auto& bytes = all[static_cast<std::size_t>(rank)];
      bytes.insert(bytes.end(), chunk.begin(), chunk.end());
    });
    EXPECT_TRUE(std::ranges::is_sorted(order));
    if (world_->rank() != root) {
      EXPECT_TRUE(order.empty());
      continue;
    }
    for (int rank = 0; rank < world_->size(); ++rank) {
      EXPECT_EQ(all[static_cast<std::size_t>(rank)], bytes_of(rank)) << rank;
    }
  }
}

TEST_P(GatherTest, RefusesChunksOfNothing) {
  EXPECT_THROW(world_->gather_chunks({}, 0, 0, [](int, std::span<const std::byte>) {}),
               std::invalid_argument);
}

}  // namespace
}  // namespace genrec
