#pragma once
#include <cstdint>

#include "tokenizers/item_tokenizer.h"

namespace genrec {

struct RandomOptions {
  std::int64_t levels = 4;        ///< codes of an identifier
  std::int64_t codes = 256;       ///< of a level
  bool avoid_collisions = false;  ///< where there are more items than identifiers (collision_avoidance.h)
  std::uint64_t seed = 42;
};

/// Identifiers "<a_12>", "<b_7>", ... that say nothing of their items: a control. No two items share one
/// while there are as many identifiers as items; beyond that every identifier has equally many items, but for
/// one.
class RandomTokenizer : public ItemTokenizer {
 public:
  explicit RandomTokenizer(const RandomOptions& options) : options_(options) {}
  /// Every rank by itself: draws are functions of seed and item.
  [[nodiscard]] IdentifierTable fit(const Dataset& dataset, Communicator& world) override;

 private:
  RandomOptions options_;
};

}  // namespace genrec
