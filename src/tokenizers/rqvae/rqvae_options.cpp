#include "tokenizers/rqvae/rqvae_options.h"

#include <string_view>

#include "base/error.h"

namespace genrec {
namespace {

void require(bool holds, const std::string& key, const std::string& value, const std::string& expected) {
  if (holds) return;
  std::string message = key;
  throw UsageError(message.append(" = ").append(value).append(": expected ").append(expected));
}

void require_at_least(std::int64_t value, std::int64_t least, const std::string& key) {
  require(value >= least, key, std::to_string(value), "at least " + std::to_string(least));
}

void require_not_negative(double value, const std::string& key) {
  require(value >= 0, key, std::to_string(value), "0 or more");
}

bool is_one_of(const std::string& value, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (value == word) return true;
  }
  return false;
}

void check_cf(const RqvaeOptions& options, std::int64_t items, std::int64_t cf_rows, std::int64_t cf_width) {
  if (options.letter.alpha <= 0) return;
  if (cf_rows == 0) {
    throw DataError(
        "letter.alpha > 0, but there are no collaborative vectors: make them with the embed command, or set "
        "letter.alpha = 0");
  }
  if (cf_rows != items) {
    std::string message("collaborative vectors of ");
    message += std::to_string(cf_rows) + " items for a dataset of " + std::to_string(items);
    throw DataError(message + ": make them from this dataset");
  }
  if (cf_width != options.dim) {
    std::string message("collaborative vectors of width ");
    message += std::to_string(cf_width) + ", but codes have tokenizer.dim = " + std::to_string(options.dim);
    throw DataError(message + ": they are compared without a projection, so make both widths equal");
  }
}

}  // namespace

RqvaeOptions options_of_method(const std::string& method, RqvaeOptions options) {
  if (method == "tiger") {
    options.letter.alpha = options.letter.beta = 0;
    options.init = "kmeans";
  } else if (method == "letter") {
    options.init = "constrained-kmeans";
  } else {
    throw Error(ExitCode::kInternal, "\"" + method + "\" is no method of the RQ-VAE");
  }
  return options;
}

void check_options(const RqvaeOptions& options, std::int64_t items, std::int64_t cf_rows,
                   std::int64_t cf_width) {
  require(options.levels >= 1 && options.levels <= 26, "tokenizer.levels", std::to_string(options.levels),
          "1 to 26");
  require_at_least(options.codes, 2, "tokenizer.codes");
  require_at_least(options.dim, 1, "tokenizer.dim");
  require_at_least(options.batch, 1, "tokenizer.batch");
  require_at_least(options.epochs, 0, "tokenizer.epochs");
  require_at_least(options.eval_every, 0, "tokenizer.eval-every");
  require_at_least(options.sinkhorn_iterations, 1, "tokenizer.sinkhorn-iterations");
  require_at_least(options.kmeans_iterations, 1, "tokenizer.kmeans-iterations");
  require_at_least(options.restart_every, 0, "tokenizer.restart-every");
  for (const int width : options.hidden) require_at_least(width, 1, "tokenizer.hidden");
  require(options.lr > 0, "tokenizer.lr", std::to_string(options.lr), "more than 0");
  require(options.dropout >= 0 && options.dropout < 1, "tokenizer.dropout", std::to_string(options.dropout),
          "0 or more and less than 1");
  require(options.sinkhorn_epsilon == 0 || options.sinkhorn_epsilon >= 0.0029, "tokenizer.sinkhorn-epsilon",
          std::to_string(options.sinkhorn_epsilon), "0, or at least 0.0029");
  require_not_negative(options.letter.alpha, "letter.alpha");
  require_not_negative(options.letter.beta, "letter.beta");
  require(is_one_of(options.collision, {"sinkhorn", "digit", "none"}), "tokenizer.collision",
          options.collision, "sinkhorn, digit or none");
  require(is_one_of(options.init, {"kmeans", "constrained-kmeans", "uniform"}), "tokenizer.init",
          options.init, "kmeans, constrained-kmeans or uniform");
  require(is_one_of(options.gradient, {"code", "paper"}), "tokenizer.gradient", options.gradient,
          "code or paper");
  if (options.letter.beta > 0) {
    require_at_least(options.letter.clusters, 1, "letter.clusters");
    require_at_least(options.letter.recluster_every, 1, "letter.recluster-every");
    require(options.codes >= 4, "tokenizer.codes", std::to_string(options.codes),
            "at least 4 where letter.beta > 0");
  }
  if (items < 1) throw DataError("the dataset has no items: there is nothing to give identifiers to");
  check_cf(options, items, cf_rows, cf_width);
}

}  // namespace genrec
