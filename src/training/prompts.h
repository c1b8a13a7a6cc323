#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/text_tokenizer.h"
#include "model/batch.h"

namespace genrec {

/// The built-in templates for sequential recommendation, each with one slot {H} for the history.
[[nodiscard]] const std::vector<std::string>& builtin_templates();

/// The templates an option names: "" the built-in ones, "none" no templates at all (empty result), else a
/// text file with one template a line. Blank lines do not count. Throws MissingInput, or DataError naming
/// file and line where a line does not hold {H} exactly once.
[[nodiscard]] std::vector<std::string> read_templates(const std::string& option);

/// The fixed texts of all prompts, slots left out: training data for a SentencePiece model.
[[nodiscard]] std::vector<std::string> prompt_texts(const std::vector<std::string>& templates);

/// What stands before and after a slot, as pieces.
struct PromptFrame {
  std::vector<TokenId> prefix, suffix;
};

/// The prompts in pieces, made once. Identifiers in a history are joined by ", "; without templates they
/// follow one another directly, as TIGER's input does (method 2.5).
class Prompts {
 public:
  /// No text at all: histories and identifiers are the whole input.
  Prompts() : recommendation_(1) {}
  /// `templates` as read_templates gives them.
  Prompts(const std::vector<std::string>& templates, const TextTokenizer& text);

  /// At least one; an empty frame when there are no templates.
  [[nodiscard]] const std::vector<PromptFrame>& recommendation() const { return recommendation_; }
  [[nodiscard]] const std::vector<TokenId>& separator() const { return separator_; }
  /// Around a title.
  [[nodiscard]] const PromptFrame& item_to_identifier() const { return item_to_identifier_; }
  /// Around an identifier.
  [[nodiscard]] const PromptFrame& identifier_to_item() const { return identifier_to_item_; }

 private:
  std::vector<PromptFrame> recommendation_;
  std::vector<TokenId> separator_;
  PromptFrame item_to_identifier_, identifier_to_item_;
};

/// Titles in pieces, each cut to a number of pieces (method 5.5: 64).
class TitlePieces {
 public:
  TitlePieces(const std::vector<std::string>& titles, const TextTokenizer& text, std::int32_t max_pieces);

  [[nodiscard]] std::span<const TokenId> of(ItemId item) const {
    const auto i = static_cast<std::size_t>(item);
    return std::span(pieces_).subspan(static_cast<std::size_t>(offsets_[i]),
                                      static_cast<std::size_t>(offsets_[i + 1] - offsets_[i]));
  }
  [[nodiscard]] std::int64_t items() const { return static_cast<std::int64_t>(offsets_.size()) - 1; }
  /// Titles that were longer.
  [[nodiscard]] std::int64_t truncated() const { return truncated_; }

 private:
  std::vector<std::int64_t> offsets_{0};
  std::vector<TokenId> pieces_;
  std::int64_t truncated_ = 0;
};

}  // namespace genrec
