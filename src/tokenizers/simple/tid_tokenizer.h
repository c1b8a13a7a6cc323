#pragma once
#include <cstdint>

#include "io/text_tokenizer.h"
#include "tokenizers/item_tokenizer.h"

namespace genrec {

struct TidOptions {
  std::int32_t max_pieces = 64;   ///< longer titles are cut there
  bool avoid_collisions = false;  ///< items with the same title are told apart (collision_avoidance.h)
};

/// Title identifiers (TID): the title is the identifier. Items with the same title share it; an item without
/// a title is called "item NUMBER". Both are counted in the log.
class TidTokenizer : public ItemTokenizer {
 public:
  /// `text` must outlive this.
  TidTokenizer(const TextTokenizer& text, const TidOptions& options) : text_(text), options_(options) {}
  /// Every rank by itself.
  [[nodiscard]] IdentifierTable fit(const Dataset& dataset, Communicator& world) override;

 private:
  const TextTokenizer& text_;
  TidOptions options_;
};

}  // namespace genrec
