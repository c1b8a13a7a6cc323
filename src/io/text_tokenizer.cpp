#include "io/text_tokenizer.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "io/files.h"
#include "io/spiece_model.h"
#include "io/text_normalizer.h"
#include "io/unigram.h"

namespace genrec {
namespace {

constexpr TokenId kSentinels = 100;
constexpr std::string_view kSentinelStart = "<extra_id_";
constexpr std::string_view kBlank = "\xe2\x96\x81";  // U+2581, which stands for a blank in pieces

/// Lines for the trainer.
class Lines final : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const std::vector<std::string>& lines) : lines_(lines) {}
  [[nodiscard]] bool done() const override { return next_ >= lines_.size(); }
  void Next() override { ++next_; }
  [[nodiscard]] const std::string& value() const override { return lines_[next_]; }
  [[nodiscard]] sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& lines_;
  std::size_t next_ = 0;
};

}  // namespace

struct TextTokenizer::Impl {
  std::string bytes;
  TextNormalizer normalizer;
  std::vector<Unigram::Piece> vocabulary;  ///< pieces, then sentinels
  Unigram unigram;
  TokenId pieces;

  explicit Impl(std::string model)
      : bytes(std::move(model)),
        normalizer(spiece_character_map(bytes)),
        vocabulary(read_vocabulary(bytes)),
        unigram(vocabulary, kUnknownToken),
        pieces(static_cast<TokenId>(vocabulary.size()) - kSentinels) {}

  static std::vector<Unigram::Piece> read_vocabulary(const std::string& model) {
    sentencepiece::SentencePieceProcessor processor;
    const auto status = processor.LoadFromSerializedProto(model);
    if (!status.ok()) {
      throw DataError("the SentencePiece model cannot be used (" + status.ToString() +
                      "); get the model file again");
    }
    if (processor.pad_id() != kPadToken || processor.eos_id() != kEndToken ||
        processor.unk_id() != kUnknownToken) {
      throw DataError("the SentencePiece model numbers pad, end and unknown " +
                      std::to_string(processor.pad_id()) + ", " + std::to_string(processor.eos_id()) +
                      " and " + std::to_string(processor.unk_id()) +
                      " where T5's 0, 1 and 2 were expected; use a T5 model's spiece.model");
    }
    std::vector<Unigram::Piece> result;
    for (int id = 0; id < processor.GetPieceSize(); ++id) {
      result.push_back({processor.IdToPiece(id), static_cast<double>(processor.GetScore(id))});
    }
    for (TokenId number = kSentinels - 1; number >= 0; --number) {
      result.push_back({std::string(kSentinelStart) + std::to_string(number) + ">", 0.0});
    }
    return result;
  }

  /// A special token at the front of the text: its number and its bytes; no bytes when there is none.
  [[nodiscard]] std::pair<TokenId, std::size_t> special(std::string_view text) const {
    for (const TokenId id : {kPadToken, kEndToken, kUnknownToken}) {
      if (text.starts_with(name(id))) return {id, name(id).size()};
    }
    if (!text.starts_with(kSentinelStart)) return {0, 0};
    const char* first = text.data() + kSentinelStart.size();
    const char* last = text.data() + text.size();
    TokenId number = 0;
    const auto [end, error] = std::from_chars(first, last, number);
    const bool canonical = error == std::errc() && (*first != '0' || end == first + 1) && *first != '-';
    if (!canonical || number >= kSentinels || end == last || *end != '>') return {0, 0};
    return {pieces + kSentinels - 1 - number, static_cast<std::size_t>(end + 1 - text.data())};
  }

  /// Appends the pieces of a text without special tokens.
  void encode_plain(std::string_view text, std::vector<TokenId>& ids) const {
    const std::string normal = normalizer.apply(text);
    for (const std::string_view word : split_words(normal)) {
      std::string marked(word);
      if (!word.starts_with(kBlank)) marked.insert(0, kBlank);
      unigram.encode(marked, ids);
    }
  }

  [[nodiscard]] const std::string& name(TokenId id) const {
    return vocabulary[static_cast<std::size_t>(id)].text;
  }
  void check(TokenId id) const {
    if (id < 0 || id >= pieces + kSentinels) {
      throw DataError("token " + std::to_string(id) + " is no text token; 0 to " +
                      std::to_string(pieces + kSentinels - 1) +
                      " was expected: use the model's own vocabulary");
    }
  }
};

TextTokenizer::TextTokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TextTokenizer::~TextTokenizer() = default;
TextTokenizer::TextTokenizer(TextTokenizer&&) noexcept = default;
TextTokenizer& TextTokenizer::operator=(TextTokenizer&&) noexcept = default;

TextTokenizer TextTokenizer::from_bytes(std::string bytes) {
  return TextTokenizer(std::make_unique<Impl>(std::move(bytes)));
}

TextTokenizer::TextTokenizer(const std::filesystem::path& spiece) {
  try {
    *this = from_bytes(read_text_file(spiece));
  } catch (const DataError& error) {
    throw DataError(spiece.string() + ": " + error.what());
  }
}

TextTokenizer TextTokenizer::train(const std::vector<std::string>& lines, int pieces, std::uint64_t seed) {
  const auto visible = [](char c) { return static_cast<unsigned char>(c) > ' '; };
  if (std::none_of(lines.begin(), lines.end(),
                   [&](const std::string& line) { return std::any_of(line.begin(), line.end(), visible); })) {
    throw DataError("there is no text to train a tokenizer on: give the items titles, or set text.spiece");
  }
  const std::unordered_map<std::string, std::string> options = {{"model_type", "unigram"},
                                                                {"vocab_size", std::to_string(pieces)},
                                                                {"hard_vocab_limit", "false"},
                                                                {"pad_id", "0"},
                                                                {"eos_id", "1"},
                                                                {"unk_id", "2"},
                                                                {"bos_id", "-1"},
                                                                {"normalization_rule_name", "nmt_nfkc"},
                                                                {"byte_fallback", "false"},
                                                                {"num_threads", "1"},
                                                                {"shuffle_input_sentence", "false"},
                                                                {"max_sentence_length", "1000000"},
                                                                {"minloglevel", "2"}};
  sentencepiece::SetRandomGeneratorSeed(static_cast<unsigned>(seed));
  Lines source(lines);
  std::string bytes;
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, &source, &bytes);
  if (!status.ok()) {
    std::string reason = status.ToString();
    std::replace(reason.begin(), reason.end(), '\n', ' ');
    throw DataError("cannot train a tokenizer of " + std::to_string(pieces) + " pieces on the titles (" +
                    reason + "); set text.spiece to a SentencePiece model");
  }
  return from_bytes(std::move(bytes));
}

std::vector<TokenId> TextTokenizer::encode(std::string_view text) const {
  std::vector<TokenId> ids;
  std::size_t begin = 0;
  for (std::size_t place = text.find('<'); place != text.npos; place = text.find('<', place)) {
    const auto [id, size] = impl_->special(text.substr(place));
    if (size == 0) {
      ++place;
      continue;
    }
    impl_->encode_plain(text.substr(begin, place - begin), ids);
    ids.push_back(id);
    place += size;
    begin = place;
  }
  impl_->encode_plain(text.substr(begin), ids);
  return ids;
}

std::string TextTokenizer::decode(const std::vector<TokenId>& ids) const {
  std::string text;
  for (const TokenId id : ids) {
    impl_->check(id);
    if (id <= kUnknownToken || id >= impl_->pieces) continue;
    text += impl_->name(id);
  }
  std::string result;
  std::string_view rest = text;
  for (std::size_t blank = rest.find(kBlank); blank != rest.npos; blank = rest.find(kBlank)) {
    result.append(rest.substr(0, blank)).append(1, ' ');
    rest.remove_prefix(blank + kBlank.size());
  }
  result += rest;
  if (result.starts_with(' ')) result.erase(0, 1);
  return result;
}

TokenId TextTokenizer::size() const {
  return impl_->pieces + kSentinels;
}
const std::string& TextTokenizer::model_bytes() const {
  return impl_->bytes;
}

std::string TextTokenizer::piece(TokenId id) const {
  impl_->check(id);
  return impl_->name(id);
}

}  // namespace genrec
