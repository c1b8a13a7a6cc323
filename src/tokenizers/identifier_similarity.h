#pragma once
#include <cstdint>
#include <span>

#include "tokenizers/identifier_table.h"
#include "tokenizers/text_features.h"

namespace genrec {

/// Semantic identifier similarity (SIIT, Table 4): sum over i != j of S_ij O_ij, over the sum of S_ij, where
/// S is the cosine of two items' features and O the number of positions at which their identifiers have the
/// same symbol. Needs no items x items matrix: over a group, the sum of S_ij is |sum of unit rows|^2 minus
/// the rows' own squares. An all-zero row has cosine 0 with everything. 0 when the denominator is not
/// positive. Throws DataError when the features do not have one row an item.
[[nodiscard]] double semantic_identifier_similarity(const IdentifierTable& table,
                                                    const SparseFeatures& features);
/// `features`: [items, dimensions].
[[nodiscard]] double semantic_identifier_similarity(const IdentifierTable& table,
                                                    std::span<const float> features, std::int64_t dimensions);

}  // namespace genrec
