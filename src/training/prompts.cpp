#include "training/prompts.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "io/files.h"

namespace genrec {
namespace {

constexpr std::string_view kHistorySlot = "{H}";
constexpr std::string_view kTitleSlot = "{t}";
constexpr std::string_view kIdentifierSlot = "{y}";
constexpr std::string_view kItemToIdentifier = "Give the identifier of the item titled \"{t}\".";
constexpr std::string_view kIdentifierToItem = "Give the title of the item {y}.";
constexpr std::string_view kSeparator = ", ";
/// SentencePiece's mark of a blank (U+2581).
constexpr std::string_view kBlankMark = "\xe2\x96\x81";
constexpr std::int64_t kTitleBlock = 1024;

std::pair<std::string_view, std::string_view> split_at(std::string_view text, std::string_view slot) {
  const std::size_t at = text.find(slot);
  return {text.substr(0, at), text.substr(at + slot.size())};
}

/// Pieces of a text that follows something else. SentencePiece begins every text with a blank; where the text
/// itself begins without one, a lone blank mark is dropped, so that "<a_1>, " has no blank before the comma.
std::vector<TokenId> encode_continuation(std::string_view words, const TextTokenizer& text) {
  std::vector<TokenId> pieces = text.encode(words);
  const bool begins_with_blank = words.starts_with(' ');
  if (!begins_with_blank && !pieces.empty() && text.piece(pieces.front()) == kBlankMark) {
    pieces.erase(pieces.begin());
  }
  return pieces;
}

PromptFrame make_frame(std::string_view prompt, std::string_view slot, const TextTokenizer& text) {
  const auto [before, after] = split_at(prompt, slot);
  return {text.encode(before), encode_continuation(after, text)};
}

std::int64_t count_slots(std::string_view line) {
  std::int64_t count = 0;
  for (std::size_t at = line.find(kHistorySlot); at != std::string_view::npos;
       at = line.find(kHistorySlot, at + kHistorySlot.size())) {
    ++count;
  }
  return count;
}

}  // namespace

const std::vector<std::string>& builtin_templates() {
  static const std::vector<std::string> templates = {
      "Items so far, oldest first: {H}. Next item?",
      "A shopper's trail is {H}. Name the following item.",
      "Given the record {H}, produce the next identifier.",
      "History: {H}. Recommend one item.",
      "After {H}, what would this person choose?",
      "Complete the sequence {H} with one more item.",
      "The user interacted with {H}. Output the next one.",
      "Past choices {H} suggest which item now?",
      "{H} came in this order. Predict what follows.",
      "Continue this interaction list: {H}",
      "Which identifier extends {H} best?",
      "Recent activity: {H}. Suggest the next pick.",
      "Someone engaged with {H}. What is their next item?",
      "From the ordered list {H}, infer the upcoming item.",
      "Use {H} as evidence and give one recommendation.",
  };
  return templates;
}

std::vector<std::string> read_templates(const std::string& option) {
  if (option.empty()) return builtin_templates();
  if (option == "none") return {};
  std::istringstream file(read_text_file(option));
  std::vector<std::string> templates;
  std::string line;
  for (std::int64_t number = 1; std::getline(file, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (const std::int64_t slots = count_slots(line); slots != 1) {
      throw DataError(option + ":" + std::to_string(number) +
                      ": a template needs the slot {H} exactly once, found " + std::to_string(slots) +
                      " times; correct this line");
    }
    templates.push_back(line);
  }
  if (templates.empty()) {
    throw DataError(
        option + ": expected at least one template (a line with {H}); add one, or set text.templates = none");
  }
  return templates;
}

std::vector<std::string> prompt_texts(const std::vector<std::string>& templates) {
  std::vector<std::string> texts;
  const auto add = [&](std::string_view prompt, std::string_view slot) {
    const auto [before, after] = split_at(prompt, slot);
    for (std::string_view part : {before, after}) {
      if (!part.empty()) texts.emplace_back(part);
    }
  };
  for (const std::string& prompt : templates) add(prompt, kHistorySlot);
  if (!templates.empty()) texts.emplace_back(kSeparator);
  add(kItemToIdentifier, kTitleSlot);
  add(kIdentifierToItem, kIdentifierSlot);
  return texts;
}

Prompts::Prompts(const std::vector<std::string>& templates, const TextTokenizer& text)
    : item_to_identifier_(make_frame(kItemToIdentifier, kTitleSlot, text)),
      identifier_to_item_(make_frame(kIdentifierToItem, kIdentifierSlot, text)) {
  for (const std::string& prompt : templates) {
    recommendation_.push_back(make_frame(prompt, kHistorySlot, text));
  }
  if (templates.empty()) {
    recommendation_.emplace_back();
  } else {
    separator_ = encode_continuation(kSeparator, text);
  }
}

TitlePieces::TitlePieces(const std::vector<std::string>& titles, const TextTokenizer& text,
                         std::int32_t max_pieces) {
  const auto limit = static_cast<std::size_t>(max_pieces);
  const auto count = static_cast<std::int64_t>(titles.size());
  offsets_.reserve(titles.size() + 1);
  // Encoding is the slow part and runs on all threads, block by block to bound the memory beside the result.
  const std::int64_t stride = kTitleBlock * 64;
  std::vector<std::vector<TokenId>> encoded;
  for (std::int64_t first = 0; first < count; first += stride) {
    const std::int64_t size = std::min(stride, count - first);
    encoded.assign(static_cast<std::size_t>(size), {});
    at::parallel_for(0, size, kTitleBlock, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        encoded[static_cast<std::size_t>(i)] = text.encode(titles[static_cast<std::size_t>(first + i)]);
      }
    });
    for (const std::vector<TokenId>& pieces : encoded) {
      truncated_ += pieces.size() > limit ? 1 : 0;
      const auto kept = static_cast<std::ptrdiff_t>(std::min(pieces.size(), limit));
      pieces_.insert(pieces_.end(), pieces.begin(), pieces.begin() + kept);
      offsets_.push_back(static_cast<std::int64_t>(pieces_.size()));
    }
  }
}

}  // namespace genrec
