#include "tokenizers/simple/sid_tokenizer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "tokenizers/simple/first_appearance.h"
#include "tokenizers/simple/text_identifiers.h"

namespace genrec {

std::string sequential_number(std::int64_t place) {
  return std::to_string(kFirstSequentialNumber + place);
}

IdentifierTable SidTokenizer::fit(const Dataset& dataset, Communicator& world) {
  const std::vector<ItemId> order = order_of_first_appearance(dataset, world);
  std::vector<std::vector<TokenId>> pieces(order.size());
  for (std::size_t place = 0; place < order.size(); ++place) {
    const std::string number = sequential_number(static_cast<std::int64_t>(place));
    std::vector<TokenId> written = text_.encode(number);
    if (std::ranges::find(written, kUnknownToken) != written.end()) {
      throw DataError("tokenizer.method = sid: the SentencePiece model has no pieces for the number " +
                      number + "; give another text.spiece");
    }
    pieces[static_cast<std::size_t>(order[place])] = std::move(written);
  }
  IdentifierTable table = table_of_pieces(pieces);
  LOG_ROOT(INFO) << "SID: " << table.items() << " items, numbers of up to " << table.max_length()
                 << " pieces out of " << table.symbols().size();
  return table;
}

}  // namespace genrec
