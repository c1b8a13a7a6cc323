#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/types.h"
#include "decoding/hypothesis.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/vocabulary.h"

namespace genrec {

/// SIIT's four strategies (Table 3) are: beam+ca (the default), beam (no avoidance), greedy+ca and greedy
/// (one candidate).
struct AssignerOptions {
  bool avoid_collisions = true;
  /// Who chooses first: the higher score of candidate 1 (ties: the lower item), or else the lower item.
  bool by_confidence = false;
  std::int32_t candidates = 0;  ///< looks at the first so many; 0: all
};

/// The candidates of consecutive items, best first: item i of the chunk has the candidates
/// [item_begin[i], item_begin[i+1]), candidate c the tokens [token_begin[c], token_begin[c+1]).
struct CandidateChunk {
  static constexpr std::size_t kItems = 4096;  ///< of a chunk where its maker may choose

  std::vector<std::uint32_t> item_begin{0};
  std::vector<std::uint32_t> token_begin{0};
  std::vector<TokenId> tokens;
  std::vector<float> confidence;  ///< an item: the score of its candidate 1

  [[nodiscard]] std::size_t items() const { return item_begin.size() - 1; }
  [[nodiscard]] std::span<const TokenId> candidate(std::size_t c) const {
    return std::span(tokens).subspan(token_begin[c], token_begin[c + 1] - token_begin[c]);
  }
  /// Of the item that close_item() ends.
  void add_candidate(std::span<const TokenId> candidate);
  void close_item(float score_of_first);
  /// An item.
  void append(std::span<const Hypothesis> candidates);
};

/// What was assigned. Collision avoidance numbers are kept apart from the tokens.
struct Assignment {
  std::vector<std::int64_t> offsets{0};  ///< item i: tokens[offsets[i] .. offsets[i+1])
  std::vector<TokenId> tokens;
  std::vector<std::int32_t> avoidance;  ///< j: <x_j> is appended to the item's identifier; -1: nothing is
  std::vector<ItemId> overflowed;       ///< items all of whose candidates were taken, ascending
  double collision_rate = 0;            ///< (items - distinct) / items, before collision avoidance
  double collision_rate_final = 0;      ///< after it
  double overflow_rate = 0;             ///< overflowed / items
  std::int32_t avoidance_symbols = 0;   ///< <x_0> .. <x_(n-1)> are in use

  [[nodiscard]] std::int64_t items() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  [[nodiscard]] std::span<const TokenId> of(ItemId item) const {
    const auto i = static_cast<std::size_t>(item);
    return std::span(tokens).subspan(static_cast<std::size_t>(offsets[i]),
                                     static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
  }
};

/// Gives every item an identifier of its own (SIIT 3.3; method 5.1 steps 5-6): in the order of the items, the
/// first candidate that nobody has; candidate 1 when all are taken. Collision avoidance then appends <x_0>,
/// <x_1>, ... to all members of a group that shares an identifier, by ascending item (method 5.4 #12-#13).
/// No model, no ranks: a pure function of what is added.
///
/// Memory: 4 bytes a token of what is assigned, 12 an item, and a table of 12 to 24 bytes an item; by
/// confidence all candidates stay until finish() besides, 4 bytes a token and a candidate.
class IdentifierAssigner {
 public:
  IdentifierAssigner(std::int64_t items, AssignerOptions options);
  ~IdentifierAssigner();
  IdentifierAssigner(const IdentifierAssigner&) = delete;
  IdentifierAssigner& operator=(const IdentifierAssigner&) = delete;

  /// The next items, in ascending order. Throws an internal Error for an item without candidates, or too many
  /// items.
  void add(CandidateChunk chunk);
  /// The next item. Candidates of many items in one chunk are faster.
  void add(std::span<const Hypothesis> candidates);
  /// Shows what brings a new assigner of the same options, to which it is added in this order, to where this
  /// one is: of every item so far the identifier it got, which it gets again; by confidence all its
  /// candidates.
  void visit_added(const std::function<void(const CandidateChunk&)>& visit);
  /// After all items were added; call once.
  [[nodiscard]] Assignment finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The key of an identifier in the table of taken ones; different identifiers with equal keys are told apart.
[[nodiscard]] std::uint64_t identifier_hash(std::span<const TokenId> tokens);

/// The assignment in symbols, those of collision avoidance included.
[[nodiscard]] IdentifierTable assigned_table(const Assignment& assignment, const Vocabulary& vocabulary);

}  // namespace genrec
