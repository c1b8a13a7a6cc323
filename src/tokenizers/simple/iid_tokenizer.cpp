#include "tokenizers/simple/iid_tokenizer.h"

#include <string>
#include <utility>
#include <vector>

namespace genrec {

IdentifierTable IidTokenizer::fit(const Dataset& dataset, Communicator& /*world*/) {
  std::vector<std::string> symbols;
  std::vector<std::int64_t> offsets{0};
  std::vector<SymbolId> codes;
  for (ItemId item = 0; item < dataset.items(); ++item) {
    std::string symbol("<item_");
    symbols.push_back(symbol.append(std::to_string(item)).append(">"));
    codes.push_back(item);
    offsets.push_back(item + 1);
  }
  return {std::move(symbols), std::move(offsets), std::move(codes)};
}

}  // namespace genrec
