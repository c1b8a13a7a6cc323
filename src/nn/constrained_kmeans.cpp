#include "nn/constrained_kmeans.h"

#include <span>
#include <utility>
#include <vector>

#include "nn/indices.h"
#include "nn/lloyd.h"

namespace genrec {
namespace {

/// The assignments of one run: each starts from the prices of the one before, because centres move little.
class BoundedAssigner {
 public:
  /// `points` [n, d] float64.
  BoundedAssigner(at::Tensor points, const SizeBounds& sizes) : points_(std::move(points)), sizes_(sizes) {}

  at::Tensor operator()(const at::Tensor& centres) {
    const at::Tensor c = centres.to(at::kDouble);
    // Squared distances without the point's own norm, which every assignment pays.
    const at::Tensor costs = at::addmm(c.square().sum(1), points_, c.t(), 1, -2).contiguous();
    const std::span<const double> numbers(costs.const_data_ptr<double>(),
                                          static_cast<std::size_t>(costs.numel()));
    BoundedAssignment assignment = bounded_assignment(numbers, costs.size(0), costs.size(1), sizes_, prices_);
    prices_ = std::move(assignment.prices);
    return index_on(assignment.columns, at::kCPU);
  }

 private:
  at::Tensor points_;
  SizeBounds sizes_;
  std::vector<double> prices_;
};

}  // namespace

KMeansResult constrained_kmeans(const at::Tensor& points, const KMeansOptions& options,
                                const SizeBounds& sizes, std::uint64_t key) {
  const at::Tensor rows = points.detach().to(at::kCPU).contiguous();
  const std::int64_t distinct = require_points(rows, options);
  const at::Tensor precise = rows.to(at::kDouble);
  KMeansResult result = best_of_restarts(
      rows, options, key, [&] { return BoundedAssigner(precise, sizes); }, /*refills_empty=*/false);
  result.distinct = distinct;
  result.centres = result.centres.to(points.device());
  result.labels = result.labels.to(points.device());
  return result;
}

}  // namespace genrec
