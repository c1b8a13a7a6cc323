#include <gtest/gtest.h>
#include <mpi.h>

#include <bit>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "comm/agreed_stop.h"
#include "comm/mpi_communicator.h"
#include "comm/on_root.h"
#include "mpi/mpi_main.h"

namespace genrec {
namespace {

/// Everything runs with one call per collective and with calls of at most 7 elements.
class CommunicatorTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  std::unique_ptr<Communicator> world_ = make_mpi_communicator(MPI_COMM_WORLD, GetParam());
  const int rank_ = world_->rank();
  const int size_ = world_->size();
  const std::int64_t rank_sum_ = std::int64_t{size_} * (size_ - 1) / 2;
};

INSTANTIATE_TEST_SUITE_P(MaxCount, CommunicatorTest, ::testing::Values(kMaxMpiCount, 7));

TEST_P(CommunicatorTest, WorldIsWhatMpiSays) {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  EXPECT_EQ(size_, size);
  EXPECT_EQ(test::runtime().size(), size);
  EXPECT_EQ(test::runtime().local_size(), size);
  EXPECT_EQ(test::runtime().local_rank(), rank_);
  EXPECT_FALSE(test::runtime().host().empty());
  EXPECT_FALSE(MpiRuntime::library_version().empty());
}

template <typename T>
void expect_sum_and_max(Communicator& world, std::int64_t rank_sum) {
  std::vector<T> values(50);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(100 * (world.rank() + 1)) + static_cast<T>(i);
  world.all_reduce_sum(std::span<T>(values));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t expected =
        100 * (rank_sum + world.size()) + static_cast<std::int64_t>(i) * world.size();
    ASSERT_EQ(values[i], static_cast<T>(expected)) << i;
  }
  if constexpr (!std::is_same_v<T, float>) {
    // The largest of element i is held by rank i % size.
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool mine = static_cast<int>(i) % world.size() == world.rank();
      values[i] = static_cast<T>(mine ? static_cast<int>(i) : -1000);
    }
    world.all_reduce_max(std::span<T>(values));
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<T>(i));
  }
}

TEST_P(CommunicatorTest, AllReduce) {
  expect_sum_and_max<float>(*world_, rank_sum_);
  expect_sum_and_max<double>(*world_, rank_sum_);
  expect_sum_and_max<std::int64_t>(*world_, rank_sum_);
}

TEST_P(CommunicatorTest, AllRanksHoldTheSameBitsAfterASum) {
  RandomStream random(1, Purpose::kTest, {static_cast<std::uint64_t>(rank_)});
  for (const std::size_t count : {1UL, 63UL, 5000UL, 300001UL}) {
    if (count > 1000 * GetParam()) continue;  // too many calls for a quick test
    std::vector<float> blocking(count), pending;
    for (float& value : blocking) value = static_cast<float>(random.normal());
    pending = blocking;
    world_->all_reduce_sum(std::span(blocking));
    const auto operation = world_->start_all_reduce_sum(pending);
    while (!operation->test()) {
    }
    operation->wait();
    for (const auto& values : {blocking, pending}) {
      std::uint64_t hash = count;
      for (const float value : values) hash = mix64(hash ^ std::bit_cast<std::uint32_t>(value));
      world_->require_equal(std::to_string(hash), "sum");
    }
    for (std::size_t i = 0; i < count; ++i) ASSERT_NEAR(blocking[i], pending[i], 1e-5F);
  }
}

TEST_P(CommunicatorTest, PendingSumsEndInAnyOrder) {
  std::vector<float> first(20, 1.0F), second(30, static_cast<float>(rank_));
  const auto one = world_->start_all_reduce_sum(first);
  const auto two = world_->start_all_reduce_sum(second);
  two->wait();
  one->wait();
  EXPECT_EQ(first, std::vector<float>(20, static_cast<float>(size_)));
  EXPECT_EQ(second, std::vector<float>(30, static_cast<float>(rank_sum_)));
}

TEST_P(CommunicatorTest, RanksMayLookAfterPendingSumsAtDifferentTimes) {
  std::vector<float> first(40, 1.0F), second(20, 2.0F), blocking(20, 3.0F);
  const auto one = world_->start_all_reduce_sum(first);
  for (int i = 0; i < 1000 * rank_; ++i) (void)one->test();
  const auto two = world_->start_all_reduce_sum(second);
  for (int i = 0; i < 1000 * (size_ - rank_); ++i) (void)two->test();
  // Other collectives may come before the end.
  world_->all_reduce_sum(std::span(blocking));
  EXPECT_EQ(world_->max(std::int64_t{rank_}), size_ - 1);
  if (rank_ % 2 == 0) one->wait();
  two->wait();
  one->wait();
  EXPECT_EQ(first, std::vector<float>(40, 1.0F * static_cast<float>(size_)));
  EXPECT_EQ(second, std::vector<float>(20, 2.0F * static_cast<float>(size_)));
  EXPECT_EQ(blocking, std::vector<float>(20, 3.0F * static_cast<float>(size_)));
}

TEST_P(CommunicatorTest, EmptyBuffersAreFine) {
  std::vector<float> none;
  world_->all_reduce_sum(std::span(none));
  world_->start_all_reduce_sum(none)->wait();
  world_->broadcast(none, size_ - 1);
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(world_->all_gather({}).size(), static_cast<std::size_t>(size_));
}

TEST_P(CommunicatorTest, BroadcastFromEachRoot) {
  for (int root = 0; root < size_; ++root) {
    std::vector<std::int32_t> values;
    std::string text = "rank " + std::to_string(rank_);
    if (rank_ == root) {
      values.resize(1000);
      std::iota(values.begin(), values.end(), root);
    }
    world_->broadcast(values, root);
    world_->broadcast(text, root);
    ASSERT_EQ(values.size(), 1000U);
    EXPECT_EQ(values.front(), root);
    EXPECT_EQ(values.back(), root + 999);
    EXPECT_EQ(text, "rank " + std::to_string(root));
  }
}

TEST_P(CommunicatorTest, Conveniences) {
  EXPECT_EQ(world_->sum(std::int64_t{rank_}), rank_sum_);
  EXPECT_EQ(world_->sum(0.5), 0.5 * size_);
  EXPECT_EQ(world_->max(std::int64_t{rank_}), size_ - 1);
  EXPECT_EQ(world_->min(std::int64_t{rank_} - 5), -5);
  constexpr auto kLowest = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(world_->min(rank_ == size_ - 1 ? kLowest : 0), kLowest);
  EXPECT_TRUE(world_->any(rank_ == size_ - 1));
  EXPECT_FALSE(world_->any(false));
  world_->barrier();
}

TEST_P(CommunicatorTest, RequireEqualThrowsOnEveryRank) {
  EXPECT_NO_THROW(world_->require_equal("same", "x"));
  if (size_ == 1) return;  // the same on all ranks
  try {
    world_->require_equal(rank_ == size_ - 1 ? "other" : "same", "the identifier table");
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& failure) {
    const std::string text = failure.what();
    EXPECT_NE(text.find("the identifier table"), std::string::npos) << text;
    EXPECT_NE(text.find("rank " + std::to_string(size_ - 1)), std::string::npos) << text;
  }
}

TEST_P(CommunicatorTest, ErrorsOfMpiAreExceptions) {
  std::vector<std::byte> bytes(3);
  try {
    world_->broadcast(std::span<std::byte>(bytes), size_ + 5);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& failure) {
    EXPECT_NE(std::string(failure.what()).find("MPI_Bcast failed: "), std::string::npos) << failure.what();
    EXPECT_NE(std::string(failure.what()).find("MPI_ERR_ROOT"), std::string::npos) << failure.what();
  }
}

TEST(Together, ARankThatStopsTakesTheOthersAlong) {
  Communicator& world = test::runtime().world();
  const int stopping = world.size() - 1;
  EXPECT_NO_THROW(leave_together(world, [] {}));
  EXPECT_THROW(leave_together(world,
                              [&] {
                                if (world.rank() == stopping) throw StoppedEarly("enough");
                              }),
               StoppedEarly);
}

TEST(Together, AnErrorOfTheRootIsEveryRanks) {
  Communicator& world = test::runtime().world();
  int calls = 0;
  on_root(world, [&] { ++calls; });
  EXPECT_EQ(calls, world.is_root() ? 1 : 0);
  try {
    on_root(world, [] { throw MissingInput("no such file"); });
    FAIL();
  } catch (const MissingInput& error) {
    EXPECT_STREQ(error.what(), "no such file");
  }
}

}  // namespace
}  // namespace genrec
