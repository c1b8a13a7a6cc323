#include "tokenizers/rqvae/codebook_start.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/random.h"
#include "nn/constrained_kmeans.h"
#include "nn/indices.h"
#include "nn/kmeans.h"
#include "nn/lloyd.h"
#include "nn/residual_quantizer.h"
#include "tokenizers/rqvae/rqvae_streams.h"

namespace genrec {
namespace {

constexpr std::int64_t kMostLowerBound = 50;  ///< the lower bound of a cluster is never more
constexpr std::int64_t kUpperInLower = 4;     ///< the upper bound, in lower bounds
constexpr std::int64_t kRowsOfACode = 100;    ///< that constrained k-means looks at
constexpr std::int64_t kFewRowsOfACode = 8;   ///< the least of it where its costs [rows, codes] grow large
constexpr std::int64_t kMostCosts = std::int64_t{1} << 26;  ///< 512 MiB in each run, and there are ten
constexpr std::int64_t kConstrainedIterations = 10, kConstrainedStarts = 10;

constexpr double kShrink = 0.3;  ///< of the spread from one level to the next, where no rows tell it

/// Standard deviation of all numbers from the rows' mean.
double spread_of(const at::Tensor& points) {
  return std::sqrt((points - points.mean(0)).square().mean().item<double>());
}

/// That of the first level, more than 0: equal rows have none, and count by their distance from 0.
double first_spread(const at::Tensor& points) {
  if (const double spread = spread_of(points); spread > 0) return spread;
  const double size = std::sqrt(points.square().mean().item<double>());
  return size > 0 ? size : 1;
}

/// The rows, and random numbers around their mean for the codes that are left over.
at::Tensor rows_and_noise(const at::Tensor& points, std::int64_t codes, double spread, std::uint64_t key) {
  at::Tensor noise = at::empty({codes - points.size(0), points.size(1)}, at::kFloat);
  RandomStream stream(key);
  auto* out = noise.data_ptr<float>();
  for (std::int64_t i = 0; i < noise.numel(); ++i) out[i] = static_cast<float>(spread * stream.normal());
  return at::cat({points, noise.add_(points.mean(0))}, 0);
}

std::string few_rows_note(std::int64_t distinct, std::int64_t codes) {
  std::string note("only ");
  note += std::to_string(distinct) + " distinct items for codebooks of ";
  note += std::to_string(codes);
  return note + " codes: the others start as random numbers";
}

}  // namespace

StartBounds start_bounds(std::int64_t rows, std::int64_t codes) {
  StartBounds bounds;
  bounds.size_min = std::min(rows / (2 * codes), kMostLowerBound);
  bounds.size_max = kUpperInLower * bounds.size_min;
  if (bounds.size_max * codes < rows) bounds.size_max = 2 * ((rows + codes - 1) / codes);
  return bounds;
}

std::int64_t most_constrained_rows(std::int64_t codes) {
  return std::min(kRowsOfACode * codes, std::max(kFewRowsOfACode * codes, kMostCosts / codes));
}

CodebookStart start_codebooks(const at::Tensor& points, const RqvaeOptions& options) {
  const at::NoGradGuard no_gradients;
  CodebookStart result;
  const std::int64_t rows = points.size(0);
  const StartBounds bounds = start_bounds(rows, options.codes);
  bool constrained = options.init == "constrained-kmeans";
  if (rows > options.codes && constrained && bounds.size_min == 0) {
    constrained = false;
    result.notes.emplace_back("fewer than two items a code: codebooks start from k-means without bounds");
  }
  const double first = first_spread(points);
  KMeansOptions clustering;
  clustering.clusters = options.codes;
  clustering.max_iterations = constrained ? kConstrainedIterations : options.kmeans_iterations;
  clustering.restarts = constrained ? kConstrainedStarts : 1;
  at::Tensor residual = points;
  std::vector<at::Tensor> books;
  for (std::int64_t level = 0; level < options.levels; ++level) {
    const std::uint64_t key = start_key(options.seed, level);
    const at::Tensor distinct =
        residual.index_select(0, index_on(distinct_rows(residual, options.codes + 1), residual.device()));
    if (distinct.size(0) <= options.codes) {
      // Rows that are codes leave nothing to the next level, whose codes must differ all the same.
      if (level == 0 && distinct.size(0) < options.codes) {
        result.notes.push_back(few_rows_note(distinct.size(0), options.codes));
      }
      const double least = first * std::pow(kShrink, static_cast<double>(level));
      books.push_back(rows_and_noise(distinct, options.codes, std::max(spread_of(distinct), least), key));
    } else if (constrained) {
      books.push_back(
          constrained_kmeans(residual, clustering, {bounds.size_min, bounds.size_max}, key).centres);
    } else {
      books.push_back(kmeans(residual, clustering, key).centres);
    }
    residual = residual - at::embedding(books.back(), nearest_codes(residual, books.back()));
  }
  result.codebooks = at::stack(books, 0);
  return result;
}

}  // namespace genrec
