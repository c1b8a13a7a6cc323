#include "optim/gradient_reducer.h"

#include <gtest/gtest.h>

#include "mpi/mpi_main.h"

namespace genrec {
namespace {

/// Gradient of element i on a rank: whole numbers, so that sums are exact in any order.
float gradient_of(std::int64_t i, int rank) {
  return static_cast<float>((i % 1000) * (rank + 1));
}

TEST(GradientReducer, SumsOverRanksWhateverTheOrderOfReadiness) {
  Communicator& world = test::runtime().world();
  ParameterStore store(at::kCPU, Precision::kFloat32);
  for (int i = 0; i < 12; ++i) {
    std::string name = "w";
    store.add(name += std::to_string(i), {100 * (i + 1), 7}, true);
  }
  store.allocate();
  GradientReducer reducer(store, world, nullptr, 1 << 13);
  ASSERT_GT(reducer.buckets(), 3u);
  for (int step = 0; step < 3; ++step) {
    auto* g = store.flat_gradients().data_ptr<float>();
    const std::int64_t count = store.flat_gradients().numel();
    for (std::int64_t i = 0; i < count; ++i) g[i] = gradient_of(i, world.rank());
    reducer.begin();
    // Ranks become ready in different orders; one announces nothing at all in the last step.
    const std::size_t n = store.entries().size();
    const bool announces = step != 2 || world.rank() != 0;
    for (std::size_t k = 0; k < n && announces; ++k) reducer.ready(world.rank() % 2 == 0 ? n - 1 - k : k);
    // The sums run beside the backward pass, not after it.
    EXPECT_EQ(reducer.started(), announces && world.size() > 1 ? reducer.buckets() : 0U);
    reducer.finish();
    float ranks = 0;
    for (int rank = 0; rank < world.size(); ++rank) ranks += static_cast<float>(rank + 1);
    for (std::int64_t i = 0; i < count; ++i) ASSERT_EQ(g[i], gradient_of(i, 0) * ranks) << "element " << i;
  }
}

}  // namespace
}  // namespace genrec
