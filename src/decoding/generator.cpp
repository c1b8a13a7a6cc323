#include "decoding/generator.h"

namespace genrec {

std::vector<std::vector<Hypothesis>> generate(const T5Model& model, const PackedSequences& sources,
                                              const TokenAutomaton& automaton, const BeamOptions& options) {
  if (sources.sequences() == 0) return {};
  BeamSearch search(automaton, sources.sequences(), options);
  const auto state = model.start_decoding(sources);
  std::vector<float> scores;
  while (!search.done()) {
    const at::Tensor hidden =
        model.decode_step(*state, search.tokens(), search.parents(), search.sequences());
    scores.resize(search.candidates().size());
    model.score(hidden, search.offsets(), search.candidates(), scores);
    search.advance(scores);
  }
  return search.take_results();
}

}  // namespace genrec
