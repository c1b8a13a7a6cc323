#pragma once
#include <filesystem>

#include "tokenizers/item_tokenizer.h"

namespace genrec {

/// The identifiers that a file has for the dataset's items: an index.json, or HDF5 with identifiers in it
/// (dataset, checkpoint). The items that data.max-items left out of the dataset are left out here too. Throws
/// DataError when the file is for another number of items.
[[nodiscard]] IdentifierTable read_identifiers_for(const Dataset& dataset, const std::filesystem::path& path);

/// Takes the identifiers from a file (read_identifiers_for).
class IndexTokenizer : public ItemTokenizer {
 public:
  explicit IndexTokenizer(std::filesystem::path path) : path_(std::move(path)) {}
  /// Every rank reads the file.
  [[nodiscard]] IdentifierTable fit(const Dataset& dataset, Communicator& world) override;

 private:
  std::filesystem::path path_;
};

}  // namespace genrec
