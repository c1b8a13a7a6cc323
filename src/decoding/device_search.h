#pragma once
#include <vector>

#include "decoding/beam_search.h"
#include "decoding/device_automaton.h"
#include "model/t5_model.h"

namespace genrec {

/// generate() with model, trie, scores and beams on the device: the host only starts operations, and reads
/// the result once at the end. The automaton must be on the model's device. Of the stopping rules only
/// kExact: every search takes the automaton's longest path, so dead beams cost time, never a result.
[[nodiscard]] std::vector<std::vector<Hypothesis>> generate_on_device(const T5Model& model,
                                                                      const PackedSequences& sources,
                                                                      const DeviceAutomaton& automaton,
                                                                      const BeamOptions& options);

}  // namespace genrec
