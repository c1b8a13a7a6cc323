#pragma once
#include <cstdint>

#include "tokenizers/item_tokenizer.h"

namespace genrec {

/// Collaborative identifiers (P5's CID): items that co-occur in training histories are clustered again and
/// again, and the path through the tree of clusters is the identifier. Tokens <CI0> .. <CI(token_size-1)>
/// number the clusters breadth first, modulo token_size, and the items of a leaf (at most token_size) in
/// ascending order. Items that co-occur with nothing get a single token, so their identifier may be a proper
/// prefix of others; when they are more than token_size, they are a cluster of their own instead.
class CidTokenizer : public ItemTokenizer {
 public:
  /// Throws UsageError unless 2 <= clusters < token_size.
  CidTokenizer(const CidOptions& options, std::uint64_t seed);
  /// Rank 0 clusters and sends the result; pairs are counted by every rank.
  [[nodiscard]] IdentifierTable fit(const Dataset& dataset, Communicator& world) override;

 private:
  CidOptions options_;
  std::uint64_t seed_;
};

}  // namespace genrec
