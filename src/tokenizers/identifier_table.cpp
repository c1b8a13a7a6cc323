#include "tokenizers/identifier_table.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "io/sha256.h"

namespace genrec {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes the run of digits that `text` begins with, without its leading zeros.
std::string_view take_number(std::string_view& text) {
  std::size_t zeros = 0, end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  while (zeros + 1 < end && text[zeros] == '0') ++zeros;
  const std::string_view number = text.substr(zeros, end - zeros);
  text.remove_prefix(end);
  return number;
}

/// Runs of digits compare as numbers: "<a_2>" before "<a_10>".
bool natural_less(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a, whole_b = b;
  while (!a.empty() && !b.empty()) {
    if (is_digit(a[0]) && is_digit(b[0])) {
      const std::string_view x = take_number(a), y = take_number(b);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a[0] != b[0]) return static_cast<unsigned char>(a[0]) < static_cast<unsigned char>(b[0]);
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  if (a.empty() != b.empty()) return a.empty();
  return whole_a < whole_b;  // equal but for leading zeros
}

[[noreturn]] void fail(const std::string& what) {
  throw Error(ExitCode::kInternal, "identifier table: " + what);
}

}  // namespace

bool is_symbol(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; };
  return !text.empty() && std::none_of(text.begin(), text.end(), is_control);
}

IdentifierTable::IdentifierTable(std::vector<std::string> symbols, std::vector<std::int64_t> offsets,
                                 std::vector<SymbolId> codes)
    : symbols_(std::move(symbols)), offsets_(std::move(offsets)), codes_(std::move(codes)) {
  if (offsets_.empty() || offsets_.front() != 0 ||
      offsets_.back() != static_cast<std::int64_t>(codes_.size())) {
    fail("offsets do not span the codes");
  }
  for (std::size_t i = 0; i + 1 < offsets_.size(); ++i) {
    if (offsets_[i] >= offsets_[i + 1]) fail("item " + std::to_string(i) + " has an empty identifier");
  }
  const auto count = static_cast<SymbolId>(symbols_.size());
  for (const SymbolId code : codes_) {
    if (code < 0 || code >= count) fail("code " + std::to_string(code) + " names no symbol");
  }
  if (std::set<std::string_view>(symbols_.begin(), symbols_.end()).size() != symbols_.size()) {
    fail("a symbol occurs twice");
  }
}

IdentifierTable IdentifierTable::from_strings(const std::vector<std::vector<std::string>>& identifiers) {
  std::unordered_map<std::string_view, SymbolId> numbers;
  for (const auto& identifier : identifiers) {
    for (const std::string& symbol : identifier) numbers.emplace(symbol, 0);
  }
  std::vector<std::string> symbols;
  symbols.reserve(numbers.size());
  for (const auto& [symbol, unused] : numbers) symbols.emplace_back(symbol);
  std::sort(symbols.begin(), symbols.end(), natural_less);
  for (std::size_t i = 0; i < symbols.size(); ++i) numbers[symbols[i]] = static_cast<SymbolId>(i);

  std::vector<std::int64_t> offsets = {0};
  std::vector<SymbolId> codes;
  for (const auto& identifier : identifiers) {
    for (const std::string& symbol : identifier) codes.push_back(numbers[symbol]);
    offsets.push_back(static_cast<std::int64_t>(codes.size()));
  }
  return {std::move(symbols), std::move(offsets), std::move(codes)};
}

std::span<const SymbolId> IdentifierTable::of(ItemId item) const {
  const auto i = static_cast<std::size_t>(item);
  return std::span(codes_).subspan(static_cast<std::size_t>(offsets_[i]),
                                   static_cast<std::size_t>(offsets_[i + 1] - offsets_[i]));
}

std::int64_t IdentifierTable::max_length() const {
  std::int64_t longest = 0;
  for (std::size_t i = 0; i + 1 < offsets_.size(); ++i)
    longest = std::max(longest, offsets_[i + 1] - offsets_[i]);
  return longest;
}

std::vector<std::string> IdentifierTable::strings_of(ItemId item) const {
  std::vector<std::string> strings;
  for (const SymbolId code : of(item)) strings.push_back(symbols_[static_cast<std::size_t>(code)]);
  return strings;
}

std::int64_t IdentifierTable::distinct() const {
  std::int64_t repeated = 0;
  for (const auto& group : collisions()) repeated += static_cast<std::int64_t>(group.size()) - 1;
  return items() - repeated;
}

double IdentifierTable::collision_rate() const {
  return items() == 0 ? 0 : static_cast<double>(items() - distinct()) / static_cast<double>(items());
}

std::vector<std::vector<ItemId>> IdentifierTable::collisions() const {
  // Equal identifiers have equal hashes; within a hash the codes decide.
  std::vector<std::pair<std::uint64_t, ItemId>> order(static_cast<std::size_t>(items()));
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::uint64_t hash = 0;
    for (const SymbolId code : of(static_cast<ItemId>(i))) {
      hash = mix64(hash ^ static_cast<std::uint64_t>(static_cast<std::uint32_t>(code)));
    }
    order[i] = {hash, static_cast<ItemId>(i)};
  }
  const auto less = [this](ItemId a, ItemId b) {
    const auto x = of(a), y = of(b);
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
  };
  std::sort(order.begin(), order.end(), [&less](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    if (less(a.second, b.second)) return true;
    return !less(b.second, a.second) && a.second < b.second;
  });
  std::vector<std::vector<ItemId>> groups;
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    const auto mine = of(order[first].second);
    for (last = first + 1; last < order.size() && order[last].first == order[first].first; ++last) {
      const auto other = of(order[last].second);
      if (!std::equal(mine.begin(), mine.end(), other.begin(), other.end())) break;
    }
    if (last - first < 2) continue;
    auto& group = groups.emplace_back();
    for (std::size_t i = first; i < last; ++i) group.push_back(order[i].second);
  }
  std::sort(groups.begin(), groups.end());
  return groups;
}

std::string IdentifierTable::sha256() const {
  Sha256 hash;
  std::string text;
  for (ItemId item = 0; item < items(); ++item) {
    text.clear();
    // Lengths before the symbols keep ["ab"] and ["a", "b"] apart.
    text += std::to_string(of(item).size()) + ":";
    for (const SymbolId code : of(item)) {
      const std::string& symbol = symbols_[static_cast<std::size_t>(code)];
      text += std::to_string(symbol.size()) + ":" + symbol;
    }
    hash.update(text);
  }
  return hash.finish();
}

}  // namespace genrec
