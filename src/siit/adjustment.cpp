#include "siit/adjustment.h"

#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "tokenizers/symbols.h"

namespace genrec {
namespace {

/// Numbers for the symbols of both tables, so that equal symbols have equal numbers; -1 for avoidance
/// symbols.
class CommonSymbols {
 public:
  [[nodiscard]] std::vector<std::int32_t> number(const std::vector<std::string>& symbols) {
    std::vector<std::int32_t> numbers;
    numbers.reserve(symbols.size());
    for (const std::string& symbol : symbols) {
      const bool avoidance = symbol_family(symbol) == kAvoidanceFamily;
      const auto next = static_cast<std::int32_t>(numbers_.size());
      numbers.push_back(avoidance ? -1 : numbers_.emplace(symbol, next).first->second);
    }
    return numbers;
  }

 private:
  std::unordered_map<std::string, std::int32_t> numbers_;
};

void own_numbers(const IdentifierTable& table, ItemId item, const std::vector<std::int32_t>& numbers,
                 std::vector<std::int32_t>& out) {
  out.clear();
  for (SymbolId symbol : table.of(item)) {
    const std::int32_t number = numbers[static_cast<std::size_t>(symbol)];
    if (number >= 0) out.push_back(number);
  }
}

}  // namespace

double adjustment_ratio(const IdentifierTable& before, const IdentifierTable& after) {
  if (before.items() != after.items()) {
    throw Error(ExitCode::kInternal, "adjustment ratio: tables of " + std::to_string(before.items()) +
                                         " and " + std::to_string(after.items()) + " items");
  }
  CommonSymbols common;
  const auto old_numbers = common.number(before.symbols()), new_numbers = common.number(after.symbols());
  std::vector<std::int32_t> was, is;
  std::int64_t changed = 0;
  for (ItemId item = 0; item < before.items(); ++item) {
    own_numbers(before, item, old_numbers, was);
    own_numbers(after, item, new_numbers, is);
    changed += was != is;
  }
  return before.items() > 0 ? static_cast<double>(changed) / static_cast<double>(before.items()) : 0;
}

}  // namespace genrec
