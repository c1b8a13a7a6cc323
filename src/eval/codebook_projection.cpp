// Results must not depend on how many threads Eigen would like to use.
#define EIGEN_DONT_PARALLELIZE
#include "eval/codebook_projection.h"

#include <Eigen/Dense>
#include <algorithm>

#include "base/error.h"

namespace genrec {
namespace {

using Index = Eigen::Index;
using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

CodebookProjection project_codebook(std::span<const float> vectors, std::int64_t dim) {
  const auto codes = static_cast<Index>(vectors.size()) / dim;
  CodebookProjection projection;
  projection.points.resize(static_cast<std::size_t>(codes));
  if (codes == 0) return projection;
  Rows x = Eigen::Map<const Floats>(vectors.data(), codes, dim).cast<double>();
  if (!x.allFinite()) throw DataError("codebook: holds NaN or infinite numbers; train the tokenizer anew");
  const Eigen::RowVectorXd mean = x.colwise().mean();
  x.rowwise() -= mean;
  const Eigen::MatrixXd scatter = x.transpose() * x;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(scatter);
  if (solver.info() != Eigen::Success) {
    throw Error(ExitCode::kInternal, "codebook: its principal components were not found");
  }
  const double total = scatter.trace();
  for (std::size_t a = 0; a < std::min<std::size_t>(3, static_cast<std::size_t>(dim)); ++a) {
    const Index last = dim - 1 - static_cast<Index>(a);  // eigenvalues ascend
    Eigen::VectorXd axis = solver.eigenvectors().col(last);
    Index largest = 0;
    axis.cwiseAbs().maxCoeff(&largest);
    if (axis(largest) < 0) axis = -axis;
    const Eigen::VectorXd along = x * axis;
    for (Index code = 0; code < codes; ++code) {
      projection.points[static_cast<std::size_t>(code)][a] = along(code);
    }
    if (total > 0) projection.variance_share[a] = std::max(0.0, solver.eigenvalues()(last)) / total;
  }
  return projection;
}

}  // namespace genrec
