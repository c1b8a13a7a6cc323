#pragma once
#include <filesystem>

#include "tokenizers/item_tokenizer.h"

namespace genrec {

/// Takes the identifiers from an index.json; the items that data.max-items left out of the dataset are left
/// out here too.
class IndexTokenizer : public ItemTokenizer {
 public:
  explicit IndexTokenizer(std::filesystem::path path) : path_(std::move(path)) {}
  /// Every rank reads the file.
  [[nodiscard]] IdentifierTable fit(const Dataset& dataset, Communicator& world) override;

 private:
  std::filesystem::path path_;
};

}  // namespace genrec
