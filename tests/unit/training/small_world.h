#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/virtual_shards.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/vocabulary.h"

namespace genrec::test {

/// A dataset of a few users and items with identifiers "<a_..>", "<b_..>", codes-only vocabulary: item i has
/// tokens that depend on i alone.
struct SmallWorld {
  static constexpr ItemId kItems = 20;
  Interactions interactions;
  std::vector<std::int32_t> lengths;
  IdentifierTable table;
  Vocabulary vocabulary;
  TokenizedItems items;

  explicit SmallWorld(UserId users = 40)
      : table(make_table()), vocabulary(3, table.symbols()), items(table, vocabulary) {
    interactions.offsets.push_back(0);
    for (UserId user = 0; user < users; ++user) {
      const std::int32_t length = 3 + user % 7;
      for (std::int32_t i = 0; i < length; ++i) interactions.items.push_back((user * 3 + i * 7) % kItems);
      interactions.users.push_back(user);
      interactions.offsets.push_back(static_cast<std::int64_t>(interactions.items.size()));
      lengths.push_back(length);
    }
  }

  /// What rank `rank` of `ranks` would hold.
  [[nodiscard]] Interactions part(const VirtualShards& shards, int rank, int ranks) const {
    Interactions mine;
    mine.offsets.push_back(0);
    for (UserId user : shards.users_of_rank(rank, ranks)) {
      const auto row = interactions.row(user);
      mine.items.insert(mine.items.end(), row.begin(), row.end());
      mine.users.push_back(user);
      mine.offsets.push_back(static_cast<std::int64_t>(mine.items.size()));
    }
    return mine;
  }

  static IdentifierTable make_table() {
    std::vector<std::vector<std::string>> identifiers;
    for (ItemId item = 0; item < kItems; ++item) {
      identifiers.push_back({"<a_" + std::to_string(item / 5) + ">", "<b_" + std::to_string(item % 5) + ">"});
    }
    return IdentifierTable::from_strings(identifiers);
  }
};

}  // namespace genrec::test
