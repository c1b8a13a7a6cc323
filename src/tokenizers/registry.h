#pragma once
#include <memory>
#include <optional>
#include <string>

#include "data/embeddings.h"
#include "io/text_tokenizer.h"
#include "tokenizers/item_tokenizer.h"
#include "tokenizers/rqvae/rqvae_tokenizer.h"

namespace genrec {

/// What tokenizers read beside the dataset, each some of it.
struct TokenizerInputs {
  const TextTokenizer* text = nullptr;   ///< sid and tid; must outlive the tokenizer
  std::optional<Embeddings> embeddings;  ///< tiger and letter
  std::optional<Embeddings> cf;          ///< letter with alpha > 0
  RqvaeRuntime rqvae;
};

/// options.method; for "auto" what it stands for: "index" when options.index names a file, else "cid".
[[nodiscard]] std::string method_of(const TokenizerOptions& options);
/// tiger and letter: made from embeddings, with codebooks that training leaves.
[[nodiscard]] bool is_rqvae(const std::string& method);
/// sid and tid: identifiers are text, which a codes-only model has not.
[[nodiscard]] bool writes_text(const std::string& method);

/// Those of method tiger or letter, options.init, collision and seed included.
[[nodiscard]] RqvaeOptions rqvae_options(const TokenizerOptions& options);
[[nodiscard]] std::unique_ptr<RqvaeTokenizer> make_rqvae_tokenizer(const TokenizerOptions& options,
                                                                   TokenizerInputs inputs);

/// By method_of(options). Throws UsageError for an unknown method, MissingInput for "index" without a file,
/// an internal Error without an input that the method needs.
[[nodiscard]] std::unique_ptr<ItemTokenizer> make_item_tokenizer(const TokenizerOptions& options,
                                                                 TokenizerInputs inputs = {});

}  // namespace genrec
