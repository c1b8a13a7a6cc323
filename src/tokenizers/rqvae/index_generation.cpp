#include "tokenizers/rqvae/index_generation.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "nn/sinkhorn.h"

namespace genrec {
namespace {

std::int64_t items_in(const std::vector<std::vector<ItemId>>& groups) {
  std::int64_t items = 0;
  for (const auto& group : groups) items += static_cast<std::int64_t>(group.size());
  return items;
}

bool rows_are_equal(const at::Tensor& rows) {
  return rows.eq(rows.narrow(0, 0, 1)).all().item<bool>();
}

at::Tensor rows_of(const at::Tensor& table, const std::vector<ItemId>& items) {
  at::Tensor index = at::empty({static_cast<std::int64_t>(items.size())}, at::kLong);
  std::copy(items.begin(), items.end(), index.data_ptr<std::int64_t>());
  return table.index_select(0, index);
}

/// New codes of a group at the last level, int64 [group].
at::Tensor codes_of_group(const at::Tensor& residuals, const at::Tensor& codebook,
                          const RqvaeOptions& options) {
  // Products round by the place of a row, and Sinkhorn magnifies that: equal rows get equal distances here.
  const auto [distinct, which, counts] =
      at::unique_dim(residuals, 0, /*sorted=*/true, /*return_inverse=*/true);
  if (distinct.size(0) == 1) return at::zeros({residuals.size(0)}, at::kLong);
  const double epsilon = options.sinkhorn_epsilon > 0 ? options.sinkhorn_epsilon : kReassignEpsilon;
  return sinkhorn_codes(square_distances(distinct, codebook).index_select(0, which),
                        {.epsilon = epsilon, .iterations = options.sinkhorn_iterations});
}

/// Key of an identifier, or of the first symbols of one; no symbol holds a line break.
std::string key_of(const std::vector<std::string>& symbols, std::size_t count) {
  std::string key;
  for (std::size_t i = 0; i < std::min(count, symbols.size()); ++i) key.append(symbols[i]).append("\n");
  return key;
}

std::vector<std::string> symbols_of(const std::int64_t* codes, std::int64_t levels) {
  std::vector<std::string> symbols;
  for (std::int64_t level = 0; level < levels; ++level) symbols.push_back(code_symbol(level, codes[level]));
  return symbols;
}

/// Gives out identifiers next to those that are there.
class Newcomers {
 public:
  explicit Newcomers(const IdentifierTable& table, std::int64_t levels) : levels_(levels) {
    for (ItemId item = 0; item < table.items(); ++item) {
      identifiers_.push_back(table.strings_of(item));
      note(identifiers_.back());
    }
  }
  void add(std::vector<std::string> symbols) {
    note(symbols);
    identifiers_.push_back(std::move(symbols));
  }
  [[nodiscard]] bool is_free(const std::vector<std::string>& symbols) const {
    return !taken_.contains(key_of(symbols, symbols.size()));
  }
  /// Items that have these codes, whatever follows them.
  [[nodiscard]] std::int64_t with_codes(const std::vector<std::string>& symbols) const {
    const auto found = with_codes_.find(key_of(symbols, symbols.size()));
    return found == with_codes_.end() ? 0 : found->second;
  }
  [[nodiscard]] IdentifierTable table() const { return IdentifierTable::from_strings(identifiers_); }

 private:
  void note(const std::vector<std::string>& symbols) {
    taken_.insert(key_of(symbols, symbols.size()));
    ++with_codes_[key_of(symbols, static_cast<std::size_t>(levels_))];
  }

  std::int64_t levels_;
  std::vector<std::vector<std::string>> identifiers_;
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, std::int64_t> with_codes_;
};

/// The nearest free code of the last level; the symbols as they are where none is.
void move_to_free_code(std::vector<std::string>& symbols, const at::Tensor& distances,
                       const Newcomers& newcomers) {
  const at::Tensor nearest_first = distances.argsort(/*stable=*/true, /*dim=*/0);
  const auto* code = nearest_first.const_data_ptr<std::int64_t>();
  std::vector<std::string> attempt = symbols;
  const auto last = static_cast<std::int64_t>(symbols.size()) - 1;
  for (std::int64_t i = 0; i < nearest_first.numel(); ++i) {
    attempt.back() = code_symbol(last, code[i]);
    if (!newcomers.is_free(attempt)) continue;
    symbols = std::move(attempt);
    return;
  }
}

}  // namespace

Reassignment reassign_collisions(ItemCodes& codes, const at::Tensor& residuals, const at::Tensor& codebook,
                                 const RqvaeOptions& options) {
  const at::NoGradGuard no_gradients;
  Reassignment report;
  std::vector<std::vector<ItemId>> groups = equal_codes(codes);
  report.sharing_before = items_in(groups);
  bool changed = true;
  // Equal rows go to code 0 once. If another item has that, the larger group parts again in the next round,
  // and going back would never end.
  std::vector<bool> was_at_zero(static_cast<std::size_t>(codes.items()), false);
  while (!groups.empty() && changed && report.rounds < options.reassign_rounds) {
    changed = false;
    ++report.rounds;
    for (const auto& group : groups) {
      const at::Tensor rows = rows_of(residuals, group);
      if (rows_are_equal(rows)) {
        if (was_at_zero[static_cast<std::size_t>(group.front())]) continue;
        was_at_zero[static_cast<std::size_t>(group.front())] = true;
      }
      const at::Tensor fresh = codes_of_group(rows, codebook, options);
      const auto* code = fresh.const_data_ptr<std::int64_t>();
      for (std::size_t i = 0; i < group.size(); ++i) {
        const auto value = static_cast<std::int32_t>(code[i]);
        changed = changed || codes.last_of(group[i]) != value;
        codes.last_of(group[i]) = value;
      }
    }
    groups = equal_codes(codes);
  }
  report.sharing_after = items_in(groups);
  for (const auto& group : groups) {
    if (rows_are_equal(rows_of(residuals, group))) {
      report.inseparable_items += static_cast<std::int64_t>(group.size());
    }
  }
  return report;
}

void append_digits(ItemCodes& codes) {
  std::vector<std::int32_t> digits(static_cast<std::size_t>(codes.items()), 0);
  for (const auto& group : equal_codes(codes)) {
    for (std::size_t i = 0; i < group.size(); ++i) {
      digits[static_cast<std::size_t>(group[i])] = static_cast<std::int32_t>(i);
    }
  }
  ItemCodes longer;
  longer.levels = codes.levels + 1;
  longer.values.reserve(codes.values.size() + digits.size());
  for (ItemId item = 0; item < codes.items(); ++item) {
    const auto row = codes.of(item);
    longer.values.insert(longer.values.end(), row.begin(), row.end());
    longer.values.push_back(digits[static_cast<std::size_t>(item)]);
  }
  codes = std::move(longer);
}

IdentifierTable with_new_items(const IdentifierTable& table, const RqvaeModel& model, const Embeddings& fresh,
                               const RqvaeOptions& options) {
  if (fresh.width != model.width()) {
    std::string message("embeddings of new items have width ");
    message += std::to_string(fresh.width) + ", but the tokenizer was trained on width ";
    message += std::to_string(model.width());
    throw DataError(message + ": make them with the same encoder");
  }
  require_finite(fresh, "embeddings of new items");
  const at::NoGradGuard no_gradients;
  const at::Tensor rows = at::tensor(at::ArrayRef<float>(fresh.values)).view({fresh.rows, fresh.width});
  const EncodedRows encoded = model.encode(rows.to(model.device()));
  const std::int64_t levels = options.levels;
  const at::Tensor codes = encoded.codes.cpu(), residuals = encoded.last_residuals.cpu();
  const at::Tensor codebook = model.quantizer().codebook(levels - 1).cpu();
  Newcomers newcomers(table, levels);
  for (std::int64_t item = 0; item < fresh.rows; ++item) {
    std::vector<std::string> symbols =
        symbols_of(codes.const_data_ptr<std::int64_t>() + item * levels, levels);
    if (options.collision == "digit") {
      std::int64_t digit = newcomers.with_codes(symbols);
      symbols.push_back(code_symbol(levels, digit));
      // SIIT may have left a later one taken.
      while (!newcomers.is_free(symbols)) symbols.back() = code_symbol(levels, ++digit);
    } else if (options.collision == "sinkhorn" && !newcomers.is_free(symbols)) {
      move_to_free_code(symbols, square_distances(residuals.narrow(0, item, 1), codebook).view({-1}),
                        newcomers);
    }
    newcomers.add(std::move(symbols));
  }
  return newcomers.table();
}

}  // namespace genrec
