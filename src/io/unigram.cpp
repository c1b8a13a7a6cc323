#include "io/unigram.h"

#include <algorithm>

namespace genrec {
namespace {

/// How much worse an unknown character is than the worst piece.
constexpr double kUnknownPenalty = 10.0;

/// Bytes of a UTF-8 character, from its first one.
std::size_t character_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

}  // namespace

Unigram::Unigram(const std::vector<Piece>& pieces, TokenId unknown) : unknown_(unknown) {
  entries_.reserve(pieces.size());
  double least = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    entries_.try_emplace(pieces[i].text, Entry{static_cast<TokenId>(i), pieces[i].score});
    longest_ = std::max(longest_, pieces[i].text.size());
    least = std::min(least, pieces[i].score);
  }
  unknown_score_ = least - kUnknownPenalty;
}

void Unigram::encode(std::string_view word, std::vector<TokenId>& ids) const {
  /// The best way to a byte: its score, and the piece that ends there.
  struct Node {
    double score = 0;
    std::size_t begin = 0;
    TokenId id = 0;
    bool reached = false;
  };
  std::vector<Node> nodes(word.size() + 1);
  const auto offer = [&](std::size_t begin, std::size_t end, TokenId id, double score) {
    score += nodes[begin].score;
    if (!nodes[end].reached || score > nodes[end].score) nodes[end] = {score, begin, id, true};
  };
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t next = std::min(begin + character_size(word[begin]), word.size());
    bool known = false;
    for (std::size_t end = next; end <= word.size() && end - begin <= longest_;
         end += end < word.size() ? character_size(word[end]) : 1) {
      const auto entry = entries_.find(word.substr(begin, end - begin));
      if (entry == entries_.end()) continue;
      offer(begin, end, entry->second.id, entry->second.score);
      known = known || end == next;
    }
    if (!known) offer(begin, next, unknown_, unknown_score_);
    begin = next;
  }
  const auto first = static_cast<std::ptrdiff_t>(ids.size());
  for (std::size_t end = word.size(); end > 0; end = nodes[end].begin) {
    const bool repeated = nodes[end].id == unknown_ && static_cast<std::ptrdiff_t>(ids.size()) > first &&
                          ids.back() == unknown_;
    if (!repeated) ids.push_back(nodes[end].id);
  }
  std::reverse(ids.begin() + first, ids.end());
}

}  // namespace genrec
