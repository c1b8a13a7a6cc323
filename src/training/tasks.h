#pragma once
#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "model/batch.h"
#include "tokenizers/vocabulary.h"
#include "training/prompts.h"

namespace genrec {

/// Which template a sample gets depends on the round: the epoch in training, one fixed number for each split
/// in evaluation (a random template for each test user, SIIT 4.1.4).
[[nodiscard]] constexpr std::uint64_t evaluation_round(Split split) {
  return ~static_cast<std::uint64_t>(split);
}

/// Sequential recommendation: a template around the last items' identifiers → the next item's identifier.
/// Keeps references to all that it is given.
class RecommendationTask {
 public:
  /// `history`: most items of a source. `seed` chooses the templates.
  RecommendationTask(const Interactions& interactions, const TokenizedItems& items, const Prompts& prompts,
                     std::int32_t history, std::uint64_t seed);
  /// Appends source, target and key.
  void append(Sample sample, std::uint64_t round, Seq2SeqBatch& batch) const;
  /// Appends the source alone, end token included.
  void append_source(Sample sample, std::uint64_t round, PackedSequences& sources) const;

 private:
  const Interactions& interactions_;
  const TokenizedItems& items_;
  const Prompts& prompts_;
  std::int32_t history_;
  std::uint64_t seed_;
};

enum class AlignmentDirection : std::uint64_t { kItemToIdentifier = 0, kIdentifierToItem = 1 };

/// Alignment of titles and identifiers, both ways (SIIT 3.2). An item whose title has no pieces teaches
/// nothing about titles: it is left out of training in both directions and counted. Its identifier is still
/// regenerated, from the prompt with an empty title.
class AlignmentTask {
 public:
  AlignmentTask(const TitlePieces& titles, const TokenizedItems& items, const Prompts& prompts);
  /// Items with a title, ascending.
  [[nodiscard]] const std::vector<ItemId>& trainable() const { return trainable_; }
  [[nodiscard]] std::int64_t untitled() const {
    return titles_.items() - static_cast<std::int64_t>(trainable_.size());
  }
  void append(ItemId item, AlignmentDirection direction, Seq2SeqBatch& batch) const;
  /// Appends the item → identifier prompt, end token included.
  void append_item_prompt(ItemId item, PackedSequences& sources) const;

 private:
  const TitlePieces& titles_;
  const TokenizedItems& items_;
  const Prompts& prompts_;
  std::vector<ItemId> trainable_;
};

}  // namespace genrec
