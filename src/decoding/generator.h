#pragma once
#include <vector>

#include "decoding/beam_search.h"
#include "model/t5_model.h"

namespace genrec {

/// Constrained beam search for a batch: result[s] holds the best hypotheses of sequence s, best first, at
/// most `beams` (fewer when the automaton has fewer sequences). Log-probabilities are normalised over the
/// whole vocabulary; the constraint masks and does not renormalise. Ties go to the lower beam, then the lower
/// token: the result is a function of the scores alone.
[[nodiscard]] std::vector<std::vector<Hypothesis>> generate(const T5Model& model,
                                                            const PackedSequences& sources,
                                                            const TokenAutomaton& automaton,
                                                            const BeamOptions& options);

}  // namespace genrec
