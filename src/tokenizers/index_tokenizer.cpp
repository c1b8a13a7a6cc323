#include "tokenizers/index_tokenizer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/readers/hdf5_dataset.h"
#include "io/hdf5.h"
#include "tokenizers/identifier_hdf5.h"

namespace genrec {
namespace {

IdentifierTable read_hdf5(const std::filesystem::path& path, std::int64_t items) {
  const Hdf5Reader file(path);
  IdentifierTable table = read_identifiers(file, kIdentifierGroup);
  if (table.items() != items) {
    throw DataError(path.string() + ", group " + kIdentifierGroup + ": holds identifiers of " +
                    std::to_string(table.items()) + " items, but the dataset has " + std::to_string(items) +
                    "; take those of this dataset, or make them with the tokenize command");
  }
  return table;
}

}  // namespace

IdentifierTable read_identifiers_for(const Dataset& dataset, const std::filesystem::path& path) {
  const std::int64_t in_file = std::max(dataset.items_before_limit, dataset.items());
  const bool hdf5 = has_hdf5_signature(path);
  IdentifierTable table = hdf5 ? read_hdf5(path, in_file) : read_index_json(path, in_file);
  if (!hdf5 && in_file == dataset.items()) return table;
  // Made anew, symbols are numbered as those of an index.json, and none is there that no item has.
  std::vector<std::vector<std::string>> kept;
  kept.reserve(static_cast<std::size_t>(dataset.items()));
  for (ItemId item = 0; item < dataset.items(); ++item) kept.push_back(table.strings_of(item));
  return IdentifierTable::from_strings(kept);
}

IdentifierTable IndexTokenizer::fit(const Dataset& dataset, Communicator& world) {
  IdentifierTable table = read_identifiers_for(dataset, path_);
  world.require_equal(table.sha256(), "identifiers of " + path_.string());
  return table;
}

}  // namespace genrec
