#pragma once
#include <ATen/ATen.h>

#include <cstdint>

#include "comm/communicator.h"
#include "optim/adamw.h"
#include "tokenizers/rqvae/item_lanes.h"
#include "tokenizers/rqvae/rqvae_model.h"

namespace genrec {

/// Moves the codes that no item is nearest to onto what other items have left at their level (the restarts of
/// Dhariwal et al. 2020, Jukebox, section 3.1, at the scale of the catalogue): items are drawn without
/// replacement, a level each by its own stream of `seed` and `epoch`, and the optimiser's moments of a moved
/// code begin anew. `rows` [own places, width] are this rank's part of the lanes' places. Equal on all
/// ranks. Collective.
void restart_unused_codes(RqvaeModel& model, AdamW& optimizer, const at::Tensor& rows, const ItemLanes& lanes,
                          std::int64_t epoch, std::uint64_t seed, Communicator& world);

}  // namespace genrec
