#include "tokenizers/index_tokenizer.h"

#include <algorithm>
#include <vector>

namespace genrec {

IdentifierTable IndexTokenizer::fit(const Dataset& dataset, Communicator& world) {
  const std::int64_t in_file = std::max(dataset.items_before_limit, dataset.items());
  const IdentifierTable table = read_index_json(path_, in_file);
  world.require_equal(table.sha256(), "identifiers of " + path_.string());
  if (in_file == dataset.items()) return table;
  std::vector<std::vector<std::string>> kept;
  for (ItemId item = 0; item < dataset.items(); ++item) kept.push_back(table.strings_of(item));
  return IdentifierTable::from_strings(kept);
}

}  // namespace genrec
