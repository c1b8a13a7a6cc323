#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/types.h"

namespace genrec {

/// A unigram language model over pieces: a word's segmentation is the one of the greatest sum of piece scores
/// (Kudo, 2018, arXiv:1804.10959; Viterbi). Sums are of 64 bits and the first of equal segmentations stays,
/// as in Hugging Face's tokenizers: SentencePiece's 32-bit sums break ties differently.
class Unigram {
 public:
  struct Piece {
    std::string text;
    double score = 0;
  };
  /// Piece i has number i; characters in no piece have the number `unknown`, successive ones together.
  Unigram(const std::vector<Piece>& pieces, TokenId unknown);

  /// Appends the numbers of the pieces of a word, which is UTF-8.
  void encode(std::string_view word, std::vector<TokenId>& ids) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Entry {
    TokenId id;
    double score;
  };
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
  std::size_t longest_ = 0;  ///< bytes
  TokenId unknown_;
  double unknown_score_ = 0;
};

}  // namespace genrec
