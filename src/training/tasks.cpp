#include "training/tasks.h"

#include "base/error.h"
#include "base/random.h"

namespace genrec {
namespace {

void append_tokens(std::span<const TokenId> tokens, PackedSequences& sequences) {
  sequences.tokens.insert(sequences.tokens.end(), tokens.begin(), tokens.end());
}

void end_sequence(PackedSequences& sequences) {
  sequences.tokens.push_back(kEndToken);
  sequences.close_sequence();
}

void append_framed(const PromptFrame& frame, std::span<const TokenId> content, PackedSequences& sequences) {
  append_tokens(frame.prefix, sequences);
  append_tokens(content, sequences);
  append_tokens(frame.suffix, sequences);
  end_sequence(sequences);
}

}  // namespace

RecommendationTask::RecommendationTask(const Interactions& interactions, const TokenizedItems& items,
                                       const Prompts& prompts, std::int32_t history, std::uint64_t seed)
    : interactions_(interactions), items_(items), prompts_(prompts), history_(history), seed_(seed) {}

void RecommendationTask::append(Sample sample, std::uint64_t round, Seq2SeqBatch& batch) const {
  append_source(sample, round, batch.source);
  const ItemId target = interactions_.row(sample.row)[static_cast<std::size_t>(sample.target)];
  append_tokens(items_.of(target), batch.target);
  end_sequence(batch.target);
  batch.keys.push_back(sample_key(interactions_.users[static_cast<std::size_t>(sample.row)], sample.target));
}

void RecommendationTask::append_source(Sample sample, std::uint64_t round, PackedSequences& sources) const {
  const auto& frames = prompts_.recommendation();
  std::size_t chosen = 0;
  if (frames.size() > 1) {
    const UserId user = interactions_.users[static_cast<std::size_t>(sample.row)];
    RandomStream stream(seed_, Purpose::kTemplate, {round, sample_key(user, sample.target)});
    chosen = static_cast<std::size_t>(stream.below(frames.size()));
  }
  append_tokens(frames[chosen].prefix, sources);
  bool first = true;
  for (ItemId item : history_of(interactions_, sample, history_)) {
    if (!first) append_tokens(prompts_.separator(), sources);
    first = false;
    append_tokens(items_.of(item), sources);
  }
  append_tokens(frames[chosen].suffix, sources);
  end_sequence(sources);
}

AlignmentTask::AlignmentTask(const TitlePieces& titles, const TokenizedItems& items, const Prompts& prompts)
    : titles_(titles), items_(items), prompts_(prompts) {
  if (titles.items() != items.items()) {
    throw Error(ExitCode::kInternal, "alignment: " + std::to_string(titles.items()) + " titles, but " +
                                         std::to_string(items.items()) + " identifiers");
  }
  for (ItemId item = 0; item < titles.items(); ++item) {
    if (!titles.of(item).empty()) trainable_.push_back(item);
  }
}

void AlignmentTask::append(ItemId item, AlignmentDirection direction, Seq2SeqBatch& batch) const {
  if (direction == AlignmentDirection::kItemToIdentifier) {
    append_item_prompt(item, batch.source);
    append_tokens(items_.of(item), batch.target);
  } else {
    append_framed(prompts_.identifier_to_item(), items_.of(item), batch.source);
    append_tokens(titles_.of(item), batch.target);
  }
  end_sequence(batch.target);
  batch.keys.push_back((static_cast<std::uint64_t>(direction) << 32) | static_cast<std::uint32_t>(item));
}

void AlignmentTask::append_item_prompt(ItemId item, PackedSequences& sources) const {
  append_framed(prompts_.item_to_identifier(), titles_.of(item), sources);
}

}  // namespace genrec
