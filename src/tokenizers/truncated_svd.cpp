// Results must not depend on how many threads Eigen would like to use.
#define EIGEN_DONT_PARALLELIZE
#include "tokenizers/truncated_svd.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace genrec {
namespace {

using Index = Eigen::Index;
/// [columns of A, directions]: a word's row is read and written whole.
using Basis = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Square = Eigen::MatrixXd;
using RowVector = Eigen::RowVectorXd;

constexpr std::uint64_t kStream = 0x4c5341;  ///< tells this stream from those of a model's parameters
/// The smallest ratio of the Cholesky factor's diagonal, a bound of the condition, at which one pass of
/// Cholesky QR followed by another gives a basis that is orthonormal to rounding.
constexpr double kSmallestPivot = 1e-6;
/// Squared singular values below this part of the largest are taken as rounding errors.
constexpr double kRankTolerance = 1e-12;

/// A, row by row.
class SparseRows {
 public:
  explicit SparseRows(const SparseFeatures& features) : features_(features) {}
  [[nodiscard]] Index count() const { return features_.rows(); }

  /// Row r of A v, into `result` [directions].
  void project(Index r, const Basis& v, RowVector& result) const {
    result.setZero();
    for (std::size_t e = begin(r); e < begin(r + 1); ++e) result += value(e) * v.row(features_.columns[e]);
  }
  /// A^T (A v).
  [[nodiscard]] Basis gram_times(const Basis& v) const {
    Basis result = Basis::Zero(v.rows(), v.cols());
    RowVector projection(v.cols());
    for (Index r = 0; r < count(); ++r) {
      project(r, v, projection);
      for (std::size_t e = begin(r); e < begin(r + 1); ++e) {
        result.row(features_.columns[e]) += value(e) * projection;
      }
    }
    return result;
  }

 private:
  [[nodiscard]] std::size_t begin(Index r) const {
    return static_cast<std::size_t>(features_.offsets[static_cast<std::size_t>(r)]);
  }
  [[nodiscard]] double value(std::size_t e) const { return features_.values[e]; }
  const SparseFeatures& features_;
};

Basis random_basis(Index rows, Index columns, std::uint64_t seed) {
  RandomStream stream(seed, Purpose::kInitialisation, {kStream});
  Basis basis(rows, columns);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) basis(i, j) = 2 * stream.uniform() - 1;
  }
  return basis;
}

/// Makes the columns orthonormal: by Cholesky QR, and where they are too dependent for that by Householder
/// reflections, which take twice the time and fill up a space of lower rank.
void orthonormalise(Basis& v) {
  Square gram = Square::Zero(v.cols(), v.cols());
  gram.selfadjointView<Eigen::Lower>().rankUpdate(v.transpose());
  const Eigen::LLT<Square> cholesky(gram);
  if (cholesky.info() == Eigen::Success) {
    const Eigen::VectorXd pivots = cholesky.matrixLLT().diagonal();
    if (pivots.minCoeff() > kSmallestPivot * pivots.maxCoeff()) {
      cholesky.matrixU().solveInPlace<Eigen::OnTheRight>(v);
      return;
    }
  }
  const Eigen::HouseholderQR<Square> householder(v);
  v = householder.householderQ() * Square::Identity(v.rows(), v.cols());
}

/// A singular vector is known up to its sign: its largest entry is made positive.
void fix_signs(Basis& vectors) {
  for (Index k = 0; k < vectors.cols(); ++k) {
    Index largest = 0;
    vectors.col(k).cwiseAbs().maxCoeff(&largest);
    if (vectors(largest, k) < 0) vectors.col(k) *= -1;
  }
}

/// The singular vectors and values that A has in the space of an orthonormal basis.
struct RitzPairs {
  Basis vectors;  ///< [columns of A, at most `width`]
  std::vector<double> singular_values;
};

RitzPairs ritz_pairs(const SparseRows& a, const Basis& basis, Index width) {
  const Basis image = a.gram_times(basis);
  const Square inside = basis.transpose() * image;
  const Eigen::SelfAdjointEigenSolver<Square> solver(inside);
  if (solver.info() != Eigen::Success) {
    throw Error(ExitCode::kInternal, "the eigenvalues of the truncated SVD did not converge");
  }
  const Eigen::VectorXd squares = solver.eigenvalues().reverse();
  RitzPairs pairs;
  for (Index k = 0; k < std::min(width, squares.size()) && squares[k] > kRankTolerance * squares[0]; ++k) {
    pairs.singular_values.push_back(std::sqrt(squares[k]));
  }
  const auto found = static_cast<Index>(pairs.singular_values.size());
  const Square turn = solver.eigenvectors().rightCols(found).rowwise().reverse();
  pairs.vectors = basis * turn;
  fix_signs(pairs.vectors);
  return pairs;
}

}  // namespace

TruncatedSvd truncated_svd(const SparseFeatures& features, const TruncatedSvdOptions& options,
                           Progress* progress) {
  if (options.width < 1 || options.oversampling < 0 || options.power_iterations < 0) {
    throw Error(ExitCode::kInternal, "truncated_svd needs a width of at least 1 and no negative number");
  }
  const SparseRows a(features);
  TruncatedSvd result;
  result.width = options.width;
  result.projections.assign(static_cast<std::size_t>(a.count()) * static_cast<std::size_t>(options.width),
                            0.0F);
  const Index space = std::min(
      {static_cast<Index>(options.width) + options.oversampling, Index{features.dimensions}, a.count()});
  if (space == 0) return result;

  std::int64_t passes = 0;
  if (progress != nullptr) progress->start("truncated SVD", options.power_iterations + 2, "passes");
  const auto pass_done = [&] {
    if (progress != nullptr) progress->update(++passes);
  };
  Basis basis = random_basis(features.dimensions, space, options.seed);
  orthonormalise(basis);
  for (std::int32_t i = 0; i < options.power_iterations; ++i) {
    basis = a.gram_times(basis);
    orthonormalise(basis);
    pass_done();
  }
  orthonormalise(basis);  // one pass of Cholesky QR leaves an error of the squared condition
  RitzPairs pairs = ritz_pairs(a, basis, options.width);
  pass_done();

  RowVector projection(pairs.vectors.cols());
  for (Index r = 0; r < a.count(); ++r) {
    a.project(r, pairs.vectors, projection);
    float* const row = result.projections.data() + r * options.width;
    for (Index k = 0; k < projection.size(); ++k) row[k] = static_cast<float>(projection[k]);
  }
  result.singular_values = std::move(pairs.singular_values);
  pass_done();
  if (progress != nullptr) progress->finish();
  return result;
}

}  // namespace genrec
