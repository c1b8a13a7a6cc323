#include "tokenizers/simple/tid_tokenizer.h"

#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "tokenizers/collision_avoidance.h"
#include "tokenizers/simple/text_identifiers.h"

namespace genrec {
namespace {

/// A title may hold "</s>", which would end an identifier.
std::vector<TokenId> written(const TextTokenizer& text, const std::string& title) {
  std::vector<TokenId> pieces = text.encode(title);
  std::erase_if(pieces, [](TokenId piece) { return piece <= kEndToken; });
  return pieces;
}

}  // namespace

IdentifierTable TidTokenizer::fit(const Dataset& dataset, Communicator& world) {
  const auto limit = static_cast<std::size_t>(options_.max_pieces);
  std::vector<std::vector<TokenId>> pieces;
  pieces.reserve(dataset.catalogue.titles.size());
  std::int64_t untitled = 0, cut = 0;
  for (const std::string& title : dataset.catalogue.titles) {
    std::vector<TokenId> identifier = written(text_, title);
    if (identifier.empty()) {
      std::string name("item ");
      name += std::to_string(pieces.size());
      identifier = written(text_, name);
      ++untitled;
    }
    if (identifier.size() > limit) {
      identifier.resize(limit);
      ++cut;
    }
    pieces.push_back(std::move(identifier));
  }
  IdentifierTable table = table_of_pieces(pieces);
  LOG_ROOT(INFO) << "TID: " << table.items() << " titles of up to " << table.max_length() << " pieces, "
                 << table.items() - table.distinct() << " repeat an earlier one, " << cut << " were cut to "
                 << limit << " pieces";
  if (untitled > 0) {
    LOG_ROOT(WARNING) << "TID: " << untitled << " items have no title: they are called \"item NUMBER\"";
  }
  if (options_.avoid_collisions) table = avoid_collisions(table);
  world.require_equal(table.sha256(), "identifiers from titles");
  return table;
}

}  // namespace genrec
