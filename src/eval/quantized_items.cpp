#include "eval/quantized_items.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "eval/code_number.h"

namespace genrec {
namespace {

[[noreturn]] void fail(std::int64_t item, std::int64_t level, const HostArray& codebooks) {
  std::string message("item ");
  message.append(std::to_string(item)).append(": its identifier has no code of level ");
  message.append(std::to_string(level + 1)).append(" of codebooks ").append(text_of_shape(codebooks.shape));
  throw DataError(message + "; give the tokenizer that made these identifiers");
}

}  // namespace

at::Tensor quantized_items(const IdentifierTable& table, const HostArray& codebooks) {
  if (codebooks.shape.size() != 3) {
    throw DataError("codebooks: have the shape " + text_of_shape(codebooks.shape) +
                    " where [levels, codes, dim] was expected");
  }
  const std::int64_t levels = codebooks.shape[0], codes = codebooks.shape[1], dim = codebooks.shape[2];
  const auto books = codebooks.as<float>();
  at::Tensor sums = at::zeros({table.items(), dim}, at::kFloat);
  auto* values = sums.data_ptr<float>();
  // Of each symbol its code at the level at hand; -1: none.
  std::vector<std::int64_t> code(table.symbols().size());
  for (std::int64_t level = 0; level < levels; ++level) {
    const auto l = static_cast<std::size_t>(level);
    for (std::size_t s = 0; s < code.size(); ++s) {
      code[s] = code_number(table.symbols()[s], level).value_or(-1);
      if (code[s] >= codes) code[s] = -1;
    }
    for (ItemId item = 0; item < table.items(); ++item) {
      const auto identifier = table.of(item);
      const std::int64_t mine =
          l < identifier.size() ? code[static_cast<std::size_t>(identifier[l])] : std::int64_t{-1};
      if (mine < 0) fail(item, level, codebooks);
      const auto vector = books.subspan(static_cast<std::size_t>((level * codes + mine) * dim),
                                        static_cast<std::size_t>(dim));
      float* row = values + item * dim;
      for (std::size_t d = 0; d < vector.size(); ++d) row[d] += vector[d];
    }
  }
  return sums;
}

}  // namespace genrec
