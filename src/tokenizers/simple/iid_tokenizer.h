#pragma once
#include "tokenizers/item_tokenizer.h"

namespace genrec {

/// Independent identifiers (P5's IID): one symbol an item, "<item_123>", that no other item has.
class IidTokenizer : public ItemTokenizer {
 public:
  [[nodiscard]] IdentifierTable fit(const Dataset& dataset, Communicator& world) override;
};

}  // namespace genrec
