#include <gtest/gtest.h>

#include <numeric>

#include "comm/communicator.h"

namespace genrec {
namespace {

TEST(SingleCommunicator, IsAWorldOfOne) {
  const auto world = make_single_communicator();
  EXPECT_EQ(world->rank(), 0);
  EXPECT_EQ(world->size(), 1);
  EXPECT_TRUE(world->is_root());
  world->barrier();
  std::vector<float> values = {1, 2, 3};
  world->all_reduce_sum(std::span(values));
  const auto pending = world->start_all_reduce_sum(values);
  EXPECT_TRUE(pending->test());
  pending->wait();
  world->broadcast(values, 0);
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3}));
  std::string text = "text";
  world->broadcast(text, 0);
  EXPECT_EQ(text, "text");
}

TEST(SingleCommunicator, Conveniences) {
  const auto world = make_single_communicator();
  EXPECT_EQ(world->sum(std::int64_t{5}), 5);
  EXPECT_EQ(world->sum(0.25), 0.25);
  EXPECT_EQ(world->max(std::int64_t{-5}), -5);
  EXPECT_EQ(world->min(std::int64_t{7}), 7);
  EXPECT_TRUE(world->any(true));
  EXPECT_FALSE(world->any(false));
  EXPECT_NO_THROW(world->require_equal("a", "x"));
}

TEST(SingleCommunicator, GathersItsOwnBytes) {
  const auto world = make_single_communicator();
  std::vector<std::byte> bytes(10);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(world->all_gather(bytes), std::vector<std::vector<std::byte>>{bytes});

  std::vector<std::size_t> sizes;
  std::vector<std::byte> seen;
  world->gather_chunks(bytes, 0, 4, [&](int rank, std::span<const std::byte> chunk) {
    EXPECT_EQ(rank, 0);
    sizes.push_back(chunk.size());
    seen.insert(seen.end(), chunk.begin(), chunk.end());
  });
  EXPECT_EQ(sizes, (std::vector<std::size_t>{4, 4, 2}));
  EXPECT_EQ(seen, bytes);
  EXPECT_THROW(world->gather_chunks(bytes, 0, 0, [](int, std::span<const std::byte>) {}),
               std::invalid_argument);
}

}  // namespace
}  // namespace genrec
