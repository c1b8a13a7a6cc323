#pragma once
#include <ATen/ATen.h>

#include "io/host_array.h"
#include "tokenizers/identifier_table.h"

namespace genrec {

/// What identifiers stand for in the tokenizer's latent space: of each item the sum of its codes' vectors
/// over the levels, [items, dim] float32 on the host. LETTER's Table 3 puts them into a trained SASRec in the
/// place of its item embeddings. `codebooks`: [levels, codes, dim] (read_codebooks). Symbols behind the last
/// level (a digit, collision avoidance) add nothing. Throws DataError naming the item whose identifier is not
/// of these codebooks.
[[nodiscard]] at::Tensor quantized_items(const IdentifierTable& table, const HostArray& codebooks);

}  // namespace genrec
