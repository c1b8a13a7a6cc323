#pragma once
#include <cstdint>
#include <vector>

#include "base/progress.h"
#include "base/types.h"
#include "data/embeddings.h"
#include "tokenizers/identifier_table.h"

namespace genrec {

/// Of each item the other item that is nearest to it.
struct NearestItems {
  std::vector<ItemId> by_product;  ///< with the largest inner product
  std::vector<ItemId> by_cosine;
};

/// From products of `block` rows with all rows (0: as many as make 64 MiB of scores): items^2 * width
/// operations, and no more memory than one block and some copies of the vectors. Of equal scores the lower
/// item counts, up to the rounding of the products. A vector of zeros has cosine 0 with all. `progress` may
/// be null. Throws DataError for fewer than two rows.
[[nodiscard]] NearestItems nearest_items(const Embeddings& vectors, std::int64_t block = 0,
                                         Progress* progress = nullptr);

/// What items have in common with others, as a mean over the items.
struct CodeOverlap {
  double matches = 0;  ///< positions at which both identifiers have the same symbol
  double share = 0;    ///< the same over the length of the item's own identifier
};

/// Overlap of items with their nearest ones (LETTER, Table 4).
struct NeighbourOverlap {
  CodeOverlap by_product;  ///< its `matches` is LETTER's definition: 0.2760 on Instruments
  CodeOverlap by_cosine;
  std::int64_t items = 0;  ///< that were compared: those whose vector is not zero
};

/// By the items' vectors, a row an item. Throws DataError as nearest_items(), and for another number of rows.
[[nodiscard]] NeighbourOverlap neighbour_overlap(const IdentifierTable& table, const Embeddings& vectors,
                                                 Progress* progress = nullptr);

/// The mean of `matches` over all pairs of different items: what neighbours are to exceed. 0 below two items.
[[nodiscard]] double mean_overlap(const IdentifierTable& table);

}  // namespace genrec
