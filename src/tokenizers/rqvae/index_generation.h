#pragma once
#include <ATen/ATen.h>

#include <cstdint>

#include "data/embeddings.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/rqvae/item_codes.h"
#include "tokenizers/rqvae/rqvae_model.h"
#include "tokenizers/rqvae/rqvae_options.h"

namespace genrec {

/// What re-assignment did.
struct Reassignment {
  std::int64_t rounds = 0;             ///< that were made
  std::int64_t sharing_before = 0;     ///< items whose codes others have too
  std::int64_t sharing_after = 0;      ///< likewise; equal residuals always stay
  std::int64_t inseparable_items = 0;  ///< of these, items in groups whose residuals are all equal
};

/// The policy "sinkhorn" (LC-Rec, LETTER): the items of each group with equal codes get new codes at the last
/// level by Sinkhorn over the group alone, again and again until all differ, nothing changes any more or
/// `rounds` are over. Other items are not looked at, so a group may land on codes that are taken, and is part
/// of a larger group in the next round. Rows that are equal cannot be told apart: all get code 0, the result
/// of a uniform assignment (once: where another item has these codes, both are assigned anew together).
/// `residuals` [items, dim] is what the last level was given, `codebook` [codes, dim] that level's; both
/// float32 on the host.
Reassignment reassign_collisions(ItemCodes& codes, const at::Tensor& residuals, const at::Tensor& codebook,
                                 const RqvaeOptions& options);

/// The policy "digit" (TIGER): one level more, the number of earlier items with the same codes, also where
/// that is 0.
void append_digits(ItemCodes& codes);

/// Identifiers for items that the training never saw, by frozen networks and codebooks, behind those of
/// `table`, whose own identifiers stay as they are. Items are taken in order. Under "sinkhorn" an item whose
/// codes are taken gets, of the codes at the last level that make its identifier free, the nearest; if there
/// is none, it keeps its nearest codes (the papers name no rule). "digit" counts on from the items there are
/// to the next free one, "none" leaves equal ones equal. Throws DataError for embeddings of another width, or
/// not finite.
[[nodiscard]] IdentifierTable with_new_items(const IdentifierTable& table, const RqvaeModel& model,
                                             const Embeddings& fresh, const RqvaeOptions& options);

}  // namespace genrec
