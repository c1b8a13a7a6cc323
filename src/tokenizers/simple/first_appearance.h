#pragma once
#include <vector>

#include "comm/communicator.h"
#include "data/dataset.h"

namespace genrec {

/// All items in the order in which users (ascending) first have them: in all training parts (histories
/// without their last two items), then among what these leave out, then the items that nobody has, ascending.
/// The same at any number of ranks. Collective.
[[nodiscard]] std::vector<ItemId> order_of_first_appearance(const Dataset& dataset, Communicator& world);

}  // namespace genrec
