#pragma once
#include <cstdint>
#include <string>

#include "io/text_tokenizer.h"
#include "tokenizers/item_tokenizer.h"

namespace genrec {

/// The number of the first item.
inline constexpr std::int64_t kFirstSequentialNumber = 1001;

/// Sequential identifiers (P5's SID): items are numbered from 1001 by first_appearance.h, and the number is
/// written in text, so that items that appear together share digits.
class SidTokenizer : public ItemTokenizer {
 public:
  /// `text` must outlive this.
  explicit SidTokenizer(const TextTokenizer& text) : text_(text) {}
  /// Throws DataError when the text tokenizer has no pieces for digits.
  [[nodiscard]] IdentifierTable fit(const Dataset& dataset, Communicator& world) override;

 private:
  const TextTokenizer& text_;
};

/// The number of the item at `place` of the order, as it is written.
[[nodiscard]] std::string sequential_number(std::int64_t place);

}  // namespace genrec
