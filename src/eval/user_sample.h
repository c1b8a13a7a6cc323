#pragma once
#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace genrec {

/// This rank's samples of a split, of the users that a fixed draw of `users` of the whole dataset takes (0:
/// all): a function of seed and history lengths, the same users for any rank count and for both splits.
[[nodiscard]] std::vector<Sample> sampled_users(const Dataset& dataset, Split split, std::int64_t users,
                                                std::uint64_t seed);

}  // namespace genrec
