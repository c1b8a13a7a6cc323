#pragma once
#include <cstdint>
#include <functional>
#include <span>

#include "base/shards.h"
#include "comm/communicator.h"
#include "decoding/generator.h"
#include "model/t5_model.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/vocabulary.h"

namespace genrec {

/// What regeneration may produce: position l takes every vocabulary symbol of the families seen at position l
/// of the initial table, collision avoidance left out; the end token is allowed from the shortest initial
/// length on, up to the longest (SIIT leaves it open; a table of equal lengths keeps its length). Of text
/// pieces, positions that have any take those that the initial table has anywhere: identifiers in text keep
/// to the words of that table, as CID's keep to its tokens.
[[nodiscard]] TokenAutomaton regeneration_automaton(const IdentifierTable& initial,
                                                    const Vocabulary& vocabulary);

struct RegenerationOptions {
  std::int32_t candidates = 20;  ///< beams; 1 is greedy
  std::int32_t block =
      64;  ///< items decoded together: fixed, so that no rank or thread count changes a result
  int threads = 1;
  ScoreRule score = ScoreRule::kMean;
};

/// Called on the root for each item in ascending order.
using CandidateSink = std::function<void(ItemId item, std::span<const Hypothesis> candidates)>;
/// Appends the item → identifier prompt of an item (end token and offset included).
using PromptBuilder = std::function<void(ItemId item, PackedSequences& sources)>;

/// How long a regeneration goes on until it can be saved: at first for 8 blocks of every thread of all ranks,
/// then for as many as take two minutes. At a round's end all wait for the slowest, on the mean for half a
/// block or more.
class RoundLength {
 public:
  explicit RoundLength(const RegenerationOptions& options) : options_(options) {}
  /// Of the next round, whole blocks. The root's answer; collective.
  [[nodiscard]] std::int64_t items(Communicator& world) const;
  /// The round has taken so long.
  void adapt(double seconds);

 private:
  RegenerationOptions options_;
  std::int64_t blocks_ = 8;  ///< of a thread
};

/// Beam-searches identifiers of items from their prompts. Blocks of items are dealt to the ranks in
/// contiguous runs; candidates travel to the root in bounded chunks, and its sink sees them in item order.
/// `items` begins with a block, so that with equal blocks results are the same however a catalogue is cut.
/// Collective.
/// `progress(done)` is called on every rank with the number of its own items that are ready; it may throw
/// StoppedEarly, which then comes out on every rank, before the sink has seen any item.
void regenerate_identifiers(const T5Model& model, const PromptBuilder& prompt,
                            const TokenAutomaton& automaton, Range items, const RegenerationOptions& options,
                            Communicator& world, const CandidateSink& sink,
                            const std::function<void(std::int64_t done)>& progress);

}  // namespace genrec
