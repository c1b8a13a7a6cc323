#include "tokenizers/registry.h"

#include <utility>

#include "base/error.h"
#include "tokenizers/cid/cid_tokenizer.h"
#include "tokenizers/index_tokenizer.h"
#include "tokenizers/simple/iid_tokenizer.h"
#include "tokenizers/simple/random_tokenizer.h"
#include "tokenizers/simple/sid_tokenizer.h"
#include "tokenizers/simple/tid_tokenizer.h"

namespace genrec {
namespace {

std::unique_ptr<ItemTokenizer> make_index_tokenizer(const TokenizerOptions& options) {
  if (options.index.empty()) {
    throw MissingInput(
        "tokenizer.method = index, but the dataset has no identifiers (in data.file, or beside it as "
        "NAME.index.json): name a file with tokenizer.index, or choose another method");
  }
  return std::make_unique<IndexTokenizer>(options.index);
}

std::unique_ptr<ItemTokenizer> make_random_tokenizer(const TokenizerOptions& options) {
  return std::make_unique<RandomTokenizer>(RandomOptions{.levels = options.rqvae.levels,
                                                         .codes = options.rqvae.codes,
                                                         .avoid_collisions = options.collision == "digit",
                                                         .seed = options.seed});
}

const TextTokenizer& text_of(const TokenizerInputs& inputs, const std::string& method) {
  if (inputs.text != nullptr) return *inputs.text;
  throw Error(ExitCode::kInternal, "tokenizer.method = " + method + " was given no text tokenizer");
}

}  // namespace

std::string method_of(const TokenizerOptions& options) {
  if (options.method != "auto") return options.method;
  return options.index.empty() ? "cid" : "index";
}

bool is_rqvae(const std::string& method) {
  return method == "tiger" || method == "letter";
}

bool writes_text(const std::string& method) {
  return method == "sid" || method == "tid";
}

RqvaeOptions rqvae_options(const TokenizerOptions& options) {
  RqvaeOptions result = options_of_method(method_of(options), options.rqvae);
  if (options.init != "auto") result.init = options.init;
  result.collision = options.collision == "auto" ? "sinkhorn" : options.collision;
  result.seed = options.seed;
  return result;
}

std::unique_ptr<RqvaeTokenizer> make_rqvae_tokenizer(const TokenizerOptions& options,
                                                     TokenizerInputs inputs) {
  if (!inputs.embeddings) {
    throw Error(ExitCode::kInternal, "tokenizer.method = " + options.method + " was given no embeddings");
  }
  return std::make_unique<RqvaeTokenizer>(rqvae_options(options), std::move(*inputs.embeddings),
                                          std::move(inputs.cf), inputs.rqvae);
}

std::unique_ptr<ItemTokenizer> make_item_tokenizer(const TokenizerOptions& options, TokenizerInputs inputs) {
  const std::string method = method_of(options);
  if (method == "index") return make_index_tokenizer(options);
  if (method == "cid") return std::make_unique<CidTokenizer>(options.cid, options.seed);
  if (is_rqvae(method)) return make_rqvae_tokenizer(options, std::move(inputs));
  if (method == "iid") return std::make_unique<IidTokenizer>();
  if (method == "random") return make_random_tokenizer(options);
  if (method == "sid") return std::make_unique<SidTokenizer>(text_of(inputs, method));
  if (method == "tid") {
    return std::make_unique<TidTokenizer>(
        text_of(inputs, method),
        TidOptions{.max_pieces = options.max_pieces, .avoid_collisions = options.collision == "digit"});
  }
  throw UsageError("tokenizer.method = " + options.method +
                   ": expected auto, index, cid, tiger, letter, iid, sid, tid or random");
}

}  // namespace genrec
