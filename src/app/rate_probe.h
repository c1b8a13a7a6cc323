#pragma once
#include "app/cost_model.h"
#include "app/session.h"
#include "app/workspace.h"
#include "model/t5_cost.h"
#include "tokenizers/vocabulary.h"

namespace genrec {

/// What was measured of the model that a job would train; the slowest rank counts.
struct MeasuredRates {
  MachineRates rates;  ///< no link where there is one rank
  GradientSize gradients;
  SequenceLengths recommendation, alignment;  ///< mean tokens of a sample; the latter 0 without titles
  double title_prompt = 0;  ///< mean tokens of an item → identifier prompt; 0 without titles
};

/// Makes the model, trains on and decodes a few samples of the data with it, updates its weights and sums
/// gradients over the ranks, all ranks at once: they share caches, memory and links. Collective.
[[nodiscard]] MeasuredRates measure_rates(Session& session, const Workspace& workspace,
                                          const Runtime& runtime, const Vocabulary& vocabulary,
                                          const TokenizedItems& items);

}  // namespace genrec
