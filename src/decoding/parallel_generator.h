#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "base/shards.h"
#include "decoding/generator.h"

namespace genrec {

/// The sources of a run of inputs. Called from several threads at once.
using SourceMaker = std::function<PackedSequences(Range inputs)>;
/// What was found for the inputs of a block. Called by one thread at a time, in ascending block order.
using BlockSink =
    std::function<void(std::int64_t block, Range inputs, std::vector<std::vector<Hypothesis>> found)>;

/// generate() for `count` inputs in blocks of `block`, each block by one thread of its own: results are bit
/// for bit the same for any number of threads. `threads` workers take blocks as they come; on a GPU there is
/// one. `progress(done)`, if any, is called after each block with the number of finished inputs. Not
/// collective. Rethrows what a worker threw.
void generate_in_blocks(const T5Model& model, std::int64_t count, std::int64_t block, int threads,
                        const SourceMaker& make_sources, const TokenAutomaton& automaton,
                        const BeamOptions& options, const BlockSink& sink,
                        const std::function<void(std::int64_t done)>& progress);

}  // namespace genrec
