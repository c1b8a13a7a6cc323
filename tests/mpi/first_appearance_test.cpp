#include "tokenizers/simple/first_appearance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "data/synthetic.h"
#include "data/whole_dataset.h"
#include "mpi/mpi_main.h"

namespace genrec {
namespace {

/// By walking through all histories.
std::vector<ItemId> order_of(const WholeDataset& whole) {
  std::vector<ItemId> order;
  const auto meet = [&order](ItemId item) {
    if (std::find(order.begin(), order.end(), item) == order.end()) order.push_back(item);
  };
  for (const bool held_out : {false, true}) {
    for (std::int64_t user = 0; user < whole.users(); ++user) {
      const auto history = whole.row(user);
      const std::size_t training = history.size() > 2 ? history.size() - 2 : 0;
      for (const ItemId item : held_out ? history : history.first(training)) meet(item);
    }
  }
  for (ItemId item = 0; item < whole.catalogue.size(); ++item) meet(item);
  return order;
}

TEST(FirstAppearance, IsTheSameAtAnyNumberOfRanks) {
  Communicator& world = test::runtime().world();
  const WholeDataset whole = make_synthetic({.users = 60}, 5);
  const Dataset mine = share_of_rank(whole, 16, 5, world.rank(), world.size());
  EXPECT_EQ(order_of_first_appearance(mine, world), order_of(whole));
}

}  // namespace
}  // namespace genrec
