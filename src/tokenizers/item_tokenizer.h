#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "comm/communicator.h"
#include "data/dataset.h"
#include "tokenizers/identifier_table.h"

namespace genrec {

/// Makes the first identifiers. fit() is collective: every rank calls it with its own users, and every rank
/// gets the same table, which does not depend on the rank count.
class ItemTokenizer {
 public:
  virtual ~ItemTokenizer() = default;
  [[nodiscard]] virtual IdentifierTable fit(const Dataset& dataset, Communicator& world) = 0;
};

struct CidOptions {
  std::int32_t token_size = 500;  ///< tokens of the vocabulary, and the largest leaf
  std::int32_t clusters = 20;     ///< parts of a split
};

struct TokenizerOptions {
  std::string method = "auto";  ///< auto: index when the dataset has one, else cid
  /// A file with identifiers (index.json, or HDF5); "": index_file() of data/load_dataset.h, set by app.
  std::string index;
  CidOptions cid;
  std::uint64_t seed = 42;
};

/// By options.method; "auto" is "index" when options.index names a file and "cid" otherwise. Throws
/// UsageError for an unknown method, MissingInput for "index" without a file.
std::unique_ptr<ItemTokenizer> make_item_tokenizer(const TokenizerOptions& options);

}  // namespace genrec
