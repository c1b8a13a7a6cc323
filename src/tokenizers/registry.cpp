#include "base/error.h"
#include "tokenizers/cid/cid_tokenizer.h"
#include "tokenizers/index_tokenizer.h"
#include "tokenizers/item_tokenizer.h"

namespace genrec {

std::unique_ptr<ItemTokenizer> make_item_tokenizer(const TokenizerOptions& options) {
  const bool has_index = !options.index.empty();
  const std::string method = options.method == "auto" ? (has_index ? "index" : "cid") : options.method;
  if (method == "index") {
    if (!has_index) {
      throw MissingInput(
          "tokenizer.method = index, but the dataset has no identifiers (in data.file, or beside it as "
          "NAME.index.json): name a file with tokenizer.index, or choose another method");
    }
    return std::make_unique<IndexTokenizer>(options.index);
  }
  if (method == "cid") return std::make_unique<CidTokenizer>(options.cid, options.seed);
  throw UsageError("tokenizer.method = " + options.method + ": expected auto, cid or index");
}

}  // namespace genrec
