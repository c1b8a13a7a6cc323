#include "nn/embedding.h"

#include "nn/activation.h"
#include "nn/indices.h"
#include "nn/kernel_call.h"

namespace genrec {

at::Tensor embed(const at::Tensor& table, std::span<const TokenId> tokens, const Dropout& dropout) {
  at::Tensor rows = table.index_select(0, index_on(tokens, table.device()));
  return scaled_dropout(rows, 1, dropout, at::kFloat);
}

void embed_backward(const at::Tensor& dtable, std::span<const TokenId> tokens, const at::Tensor& dx,
                    const Dropout& dropout) {
  const at::Tensor d = scaled_dropout(dx, 1, dropout, at::kFloat);
  if (!uses_kernels(dtable)) {
    add_rows(dtable, index_on(tokens, dtable.device()), d);
    return;
  }
  const std::int64_t n = dtable.size(1);
  // Each part owns the tokens of one residue and walks all of them.
  const std::int64_t parts = at::get_num_threads();
  at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const std::int64_t part = tokens[i] % parts;
      if (part < begin || part >= end) continue;
      float* to = elements<float>(dtable) + tokens[i] * n;
      const float* from = elements<float>(d) + static_cast<std::int64_t>(i) * n;
      for (std::int64_t j = 0; j < n; ++j) to[j] += from[j];
    }
  });
}

}  // namespace genrec
