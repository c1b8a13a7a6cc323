#include "nn/kmeans.h"

#include <algorithm>

#include "nn/lloyd.h"
#include "nn/row_minima.h"

namespace genrec {
namespace {

/// Labels of the nearest centres. Distances come from products, block by block; `origin` [d] is taken off
/// both factors first, because products of numbers far from 0 would swallow small differences.
at::Tensor nearest_centres(const at::Tensor& points, const at::Tensor& centres, const at::Tensor& origin) {
  const at::Tensor from_origin = centres - origin;
  const at::Tensor norms = from_origin.square().sum(1), columns = from_origin.t();
  const std::int64_t n = points.size(0), step = rows_of_block(std::max(centres.size(0), centres.size(1)));
  at::Tensor labels = at::empty({n}, points.options().dtype(at::kLong));
  for (std::int64_t begin = 0; begin < n; begin += step) {
    const std::int64_t count = std::min(step, n - begin);
    // Without the point's own norm, which is the same for all centres.
    const at::Tensor distances = at::addmm(norms, points.narrow(0, begin, count) - origin, columns, 1, -2);
    labels.narrow(0, begin, count).copy_(first_minima(distances));
  }
  return labels;
}

}  // namespace

KMeansResult kmeans(const at::Tensor& points, const KMeansOptions& options, std::uint64_t key) {
  const at::Tensor rows = points.detach().contiguous();
  const std::int64_t distinct = require_points(rows, options);
  const at::Tensor origin = column_means(rows);
  const auto make_assigner = [&] {
    return [&](const at::Tensor& centres) { return nearest_centres(rows, centres, origin); };
  };
  KMeansResult result = best_of_restarts(rows, options, key, make_assigner, /*refills_empty=*/true);
  result.distinct = distinct;
  return result;
}

}  // namespace genrec
