#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "base/progress.h"
#include "data/embeddings.h"
#include "tokenizers/truncated_svd.h"

namespace genrec {

inline constexpr char kLsaSource[] = "lsa";  ///< provenance.source of lsa_embeddings()

struct LsaOptions {
  std::int32_t max_words = 50'000;  ///< the words of the most texts that are used
  TruncatedSvdOptions svd;          ///< its width is the embeddings'
};

/// Latent semantic analysis (Deerwester et al. 1990): the TF-IDF rows of the texts projected on their leading
/// right singular vectors (U S), scaled to length 1. A text without words, or with none that the leading
/// directions hold, has a row of zeros. Numbers past the rank are 0. `text_template` and "lsa" are the
/// provenance. Every rank that has the texts gets the same; `progress` may be null.
[[nodiscard]] Embeddings lsa_embeddings(std::span<const std::string> texts, const std::string& text_template,
                                        const LsaOptions& options, Progress* progress = nullptr);

}  // namespace genrec
