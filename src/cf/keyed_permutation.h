#pragma once
#include <bit>
#include <cstdint>

#include "base/random.h"

namespace genrec {

/// A permutation of [0, n) that is a function of its key: each place is looked up by itself, without memory,
/// so every rank knows the order of an epoch without sorting or sending it. A Feistel network over a power of
/// four that is at least n; a place beyond n is permuted again until it lies inside ("cycle walking", Black
/// and Rogaway 2002).
class KeyedPermutation {
 public:
  KeyedPermutation(std::int64_t n, std::uint64_t key)
      : n_(static_cast<std::uint64_t>(n)),
        key_(key),
        half_(n > 2 ? (static_cast<int>(std::bit_width(n_ - 1)) + 1) / 2 : 1),
        mask_((std::uint64_t{1} << half_) - 1) {}

  /// `place` in [0, n).
  [[nodiscard]] std::int64_t operator[](std::int64_t place) const {
    auto x = static_cast<std::uint64_t>(place);
    do {
      x = permuted(x);
    } while (x >= n_);
    return static_cast<std::int64_t>(x);
  }

 private:
  [[nodiscard]] std::uint64_t permuted(std::uint64_t x) const {
    constexpr std::uint64_t kRounds = 6;
    std::uint64_t left = x >> half_, right = x & mask_;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::uint64_t next = left ^ (mix64(key_ ^ (right | (round << 40))) & mask_);
      left = right;
      right = next;
    }
    return (left << half_) | right;
  }

  std::uint64_t n_, key_;
  int half_;  ///< bits of a half
  std::uint64_t mask_;
};

}  // namespace genrec
