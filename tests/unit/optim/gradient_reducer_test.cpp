#include "optim/gradient_reducer.h"

#include <gtest/gtest.h>

#include <optional>

namespace genrec {
namespace {

/// Pretends that a second rank has the same gradients.
class Twin : public Communicator {
 public:
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 2; }
  void barrier() override {}
  void broadcast(std::span<std::byte>, int) override {}
  void all_reduce_sum(std::span<float>) override {}
  void all_reduce_sum(std::span<double>) override {}
  void all_reduce_sum(std::span<std::int64_t>) override {}
  void all_reduce_max(std::span<std::int64_t>) override {}
  void all_reduce_max(std::span<double>) override {}
  [[nodiscard]] std::unique_ptr<PendingOperation> start_all_reduce_sum(std::span<float> data) override {
    order.push_back(data.data());
    struct Doubling : PendingOperation {
      explicit Doubling(std::span<float> d) : data(d) {}
      void wait() override {
        for (float& x : data) x *= 2;
      }
      bool test() override { return false; }
      std::span<float> data;
    };
    return std::make_unique<Doubling>(data);
  }
  [[nodiscard]] std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte>) override {
    return {};
  }
  void gather_chunks(std::span<const std::byte>, int, std::size_t,
                     const std::function<void(int, std::span<const std::byte>)>&) override {}
  std::vector<const float*> order;
};

ParameterStore make_store() {
  ParameterStore store(at::kCPU, Precision::kFloat32);
  for (const char* name : {"a", "b", "c", "d"}) store.add(name, {100}, true);
  store.allocate();
  store.flat_gradients().fill_(1);
  return store;
}

TEST(GradientReducer, StartsCompleteBucketsFromTheEndAndSumsAll) {
  ParameterStore store = make_store();
  Twin world;
  GradientReducer reducer(store, world, nullptr, 1000);  // two parameters a bucket
  ASSERT_EQ(reducer.buckets(), 2u);
  for (int step = 0; step < 2; ++step) {
    store.flat_gradients().fill_(1);
    reducer.begin();
    reducer.ready(0);
    reducer.ready(1);
    EXPECT_EQ(reducer.started(), 0u) << "the order is fixed: the last bucket goes first";
    reducer.ready(3);
    reducer.ready(2);
    EXPECT_EQ(reducer.started(), 2u);
    reducer.finish();
    EXPECT_TRUE(store.flat_gradients().eq(2).all().item<bool>());
  }
  EXPECT_GT(world.order[0], world.order[1]);
}

TEST(GradientReducer, FinishStartsWhatNobodyAnnounced) {
  ParameterStore store = make_store();
  Twin world;
  GradientReducer reducer(store, world, nullptr, 1);
  EXPECT_EQ(reducer.buckets(), 4u);
  reducer.begin();
  reducer.ready(3);
  EXPECT_EQ(reducer.started(), 1u);
  reducer.finish();
  EXPECT_TRUE(store.flat_gradients().eq(2).all().item<bool>());
}

/// As NCCL on one rank, on host memory: a sum is what it was.
class CountingSums : public DeviceReducer {
 public:
  void start_sum(float* data, std::size_t count, void*) override {
    begins.push_back(data);
    elements += static_cast<std::int64_t>(count);
  }
  void finish(void*) override { ++finished; }
  std::vector<const float*> begins;
  std::int64_t elements = 0;
  int finished = 0;
};

TEST(GradientReducer, DeviceSumsAreUsedOnOneRankToo) {
  ParameterStore store = make_store();
  const auto world = make_single_communicator();
  CountingSums sums;
  GradientReducer reducer(store, *world, &sums, 1000);
  reducer.begin();
  reducer.ready(3);
  reducer.ready(2);
  EXPECT_EQ(sums.begins.size(), 1U) << "beside the backward pass";
  reducer.finish();
  EXPECT_EQ(sums.begins.size(), 2U);
  EXPECT_EQ(sums.begins.back(), store.flat_gradients().const_data_ptr<float>());
  EXPECT_EQ(sums.elements, store.flat_gradients().numel());
  EXPECT_EQ(sums.finished, 1);
}

/// References to a store's gradients after the store and its reducer are gone, our own left out.
std::size_t leaked(bool finishes) {
  std::optional<ParameterStore> store = make_store();
  const at::Tensor gradients = store->flat_gradients();
  Twin world;
  std::optional<GradientReducer> reducer;
  reducer.emplace(*store, world, nullptr, 1000);
  reducer->begin();
  reducer->ready(3);
  reducer->ready(2);
  EXPECT_EQ(reducer->started(), 1U);
  if (finishes) reducer->finish();
  reducer.reset();
  store.reset();
  return gradients.use_count() - 1;
}

TEST(GradientReducer, BuffersOutliveSumsThatNobodyWaitedFor) {
  EXPECT_EQ(leaked(true), 0U);
  EXPECT_EQ(leaked(false), 1U);
}

TEST(GradientReducer, OneProcessNeedsNoSums) {
  ParameterStore store = make_store();
  const auto world = make_single_communicator();
  GradientReducer reducer(store, *world);
  reducer.begin();
  reducer.ready(0);
  reducer.finish();
  EXPECT_TRUE(store.flat_gradients().eq(1).all().item<bool>());
}

}  // namespace
}  // namespace genrec
