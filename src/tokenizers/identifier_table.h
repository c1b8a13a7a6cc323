#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace genrec {

/// Position of a symbol in IdentifierTable::symbols().
using SymbolId = std::int32_t;

/// Every item's identifier: a sequence of symbols ("<a_12>", "<CI7>", "<x_0>") of any length of at least one.
/// It does not know how it was made, nor how symbols become the model's tokens (Vocabulary does).
class IdentifierTable {
 public:
  IdentifierTable() = default;
  /// Item i has symbols codes[offsets[i] .. offsets[i+1]).
  IdentifierTable(std::vector<std::string> symbols, std::vector<std::int64_t> offsets,
                  std::vector<SymbolId> codes);
  /// From one list of symbol strings an item; symbols are numbered in natural order ("<a_2>" before
  /// "<a_10>").
  static IdentifierTable from_strings(const std::vector<std::vector<std::string>>& identifiers);

  [[nodiscard]] std::int64_t items() const { return static_cast<std::int64_t>(offsets_.size()) - 1; }
  [[nodiscard]] std::span<const SymbolId> of(ItemId item) const;
  [[nodiscard]] const std::vector<std::string>& symbols() const { return symbols_; }
  [[nodiscard]] const std::vector<std::int64_t>& offsets() const { return offsets_; }
  [[nodiscard]] const std::vector<SymbolId>& codes() const { return codes_; }
  [[nodiscard]] std::int64_t max_length() const;
  [[nodiscard]] std::vector<std::string> strings_of(ItemId item) const;

  /// Number of distinct identifiers.
  [[nodiscard]] std::int64_t distinct() const;
  /// (items - distinct) / items: SIIT's collision rate.
  [[nodiscard]] double collision_rate() const;
  /// Groups of items (ascending) that share an identifier, groups of one left out, by first item.
  [[nodiscard]] std::vector<std::vector<ItemId>> collisions() const;
  /// SHA-256 over the identifiers as strings: equal tables have equal hashes however symbols are numbered.
  [[nodiscard]] std::string sha256() const;

 private:
  std::vector<std::string> symbols_;
  std::vector<std::int64_t> offsets_{0};
  std::vector<SymbolId> codes_;
};

/// A symbol of a file is a text of at least one character, none of them a control character.
[[nodiscard]] bool is_symbol(std::string_view text);

/// LETTER's format: {"0": ["<a_1>", "<b_2>"], ...}. Throws DataError naming file, line and item for a
/// missing item (`items` of them are expected) or one too many, an empty identifier or what is no symbol;
/// collisions are allowed (the caller reports them).
[[nodiscard]] IdentifierTable read_index_json(const std::filesystem::path& path, std::int64_t items);
/// Atomically, a line an item. Throws InputOutputError.
void write_index_json(const std::filesystem::path& path, const IdentifierTable& table);

}  // namespace genrec
