#include "tokenizers/truncated_svd.h"

#include <gmock/gmock.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace genrec {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

SparseFeatures sparse(const Matrix& dense) {
  SparseFeatures features;
  features.dimensions = static_cast<std::int32_t>(dense.cols());
  for (Eigen::Index i = 0; i < dense.rows(); ++i) {
    for (Eigen::Index j = 0; j < dense.cols(); ++j) {
      if (dense(i, j) == 0) continue;
      features.columns.push_back(static_cast<std::int32_t>(j));
      features.values.push_back(static_cast<float>(dense(i, j)));
    }
    features.offsets.push_back(static_cast<std::int64_t>(features.columns.size()));
  }
  return features;
}

TruncatedSvdOptions options_of(std::int32_t width, std::int32_t oversampling) {
  TruncatedSvdOptions options;
  options.width = width;
  options.oversampling = oversampling;
  return options;
}

Matrix projections_of(const TruncatedSvd& svd) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto rows = static_cast<Eigen::Index>(svd.projections.size()) / svd.width;
  return Eigen::Map<const RowMajor>(svd.projections.data(), rows, svd.width).cast<double>();
}

/// A sparse matrix of sixteenths, which a float holds exactly; a part of `filled` percent is not 0.
Matrix random_matrix(Eigen::Index rows, Eigen::Index columns, std::uint64_t filled) {
  RandomStream stream(7, Purpose::kTest);
  Matrix dense = Matrix::Zero(rows, columns);
  for (Eigen::Index i = 0; i < rows; ++i) {
    for (Eigen::Index j = 0; j < columns; ++j) {
      const auto value = static_cast<double>(1 + stream.below(40)) / 16;
      if (stream.below(100) < filled) dense(i, j) = value;
    }
  }
  return dense;
}

/// U S by Eigen's dense solver, with the sign rule of truncated_svd().
void expect_equal_to_dense(const Matrix& dense, std::int32_t width, std::int32_t oversampling) {
  const Eigen::BDCSVD<Matrix> exact(dense, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const TruncatedSvd svd = truncated_svd(sparse(dense), options_of(width, oversampling));
  const Matrix projections = projections_of(svd);
  ASSERT_EQ(svd.singular_values.size(), static_cast<std::size_t>(width));
  ASSERT_EQ(projections.rows(), dense.rows());
  for (Eigen::Index k = 0; k < width; ++k) {
    const double value = exact.singularValues()[k];
    EXPECT_NEAR(svd.singular_values[static_cast<std::size_t>(k)], value, 1e-9 * value) << k;
    const Vector right = exact.matrixV().col(k);
    const double sign = right.maxCoeff() > -right.minCoeff() ? 1 : -1;
    const Vector expected = sign * value * exact.matrixU().col(k);
    EXPECT_LT((projections.col(k) - expected).cwiseAbs().maxCoeff(), 1e-5 * exact.singularValues()[0]) << k;
  }
}

TEST(TruncatedSvd, EqualsADenseOneOfATallMatrix) {
  expect_equal_to_dense(random_matrix(60, 40, 20), 10, 30);
}

TEST(TruncatedSvd, EqualsADenseOneOfAWideMatrix) {
  expect_equal_to_dense(random_matrix(30, 70, 20), 10, 30);
}

TEST(TruncatedSvd, FindsTheLargestOfADecayingSpectrum) {
  // Row i is 2^-i in column 29 - i: that is the i-th singular value, and its vectors are axes.
  Matrix dense = Matrix::Zero(30, 30);
  for (Eigen::Index i = 0; i < 30; ++i) dense(i, 29 - i) = std::ldexp(1.0, static_cast<int>(-i));
  const TruncatedSvd svd = truncated_svd(sparse(dense), options_of(4, 4));
  Matrix expected = Matrix::Zero(30, 4);
  ASSERT_EQ(svd.singular_values.size(), 4U);
  for (Eigen::Index k = 0; k < 4; ++k) {
    expected(k, k) = std::ldexp(1.0, static_cast<int>(-k));
    EXPECT_NEAR(svd.singular_values[static_cast<std::size_t>(k)], expected(k, k), 1e-8) << k;
  }
  EXPECT_LT((projections_of(svd) - expected).cwiseAbs().maxCoeff(), 1e-5);
}

TEST(TruncatedSvd, HoldsNearlyAllThatAnyDirectionsCan) {
  // 400 rows on eight subjects, of 16 columns each, in noise: here the iterated space is far from whole.
  RandomStream stream(3, Purpose::kTest);
  Matrix dense = Matrix::Zero(400, 300);
  for (Eigen::Index i = 0; i < dense.rows(); ++i) {
    for (int word = 0; word < 8; ++word) {
      const auto own = 16 * (i % 8) + static_cast<Eigen::Index>(stream.below(16));
      const auto any = static_cast<Eigen::Index>(stream.below(300));
      dense(i, word < 6 ? own : any) += 0.25;
    }
  }
  const Vector exact = Eigen::BDCSVD<Matrix>(dense).singularValues().head(8);
  const TruncatedSvd svd = truncated_svd(sparse(dense), options_of(8, 8));
  ASSERT_EQ(svd.singular_values.size(), 8U);
  for (Eigen::Index k = 0; k < 8; ++k) {
    const double found = svd.singular_values[static_cast<std::size_t>(k)];
    EXPECT_GT(found, 0.99 * exact[k]) << k;
    EXPECT_LT(found, (1 + 1e-9) * exact[k]) << k;
  }
  EXPECT_NEAR(projections_of(svd).squaredNorm(), exact.squaredNorm(), 0.01 * exact.squaredNorm());
}

TEST(TruncatedSvd, IsZeroPastTheRank) {
  // Three rows of length 1 without a common column, 16, 9 and 4 times: singular values 4, 3, 2.
  Matrix dense = Matrix::Zero(29, 6);
  Matrix expected = Matrix::Zero(29, 8);
  for (Eigen::Index i = 0; i < 29; ++i) {
    const Eigen::Index group = i < 16 ? 0 : (i < 25 ? 1 : 2);
    dense(i, 2 * group) = 0.6;
    dense(i, 2 * group + 1) = -0.8;
    expected(i, group) = -1;  // the larger weight, -0.8, is made positive
  }
  const TruncatedSvd svd = truncated_svd(sparse(dense), options_of(8, 32));
  ASSERT_EQ(svd.singular_values.size(), 3U);
  EXPECT_NEAR(svd.singular_values[0], 4, 1e-6);
  EXPECT_NEAR(svd.singular_values[1], 3, 1e-6);
  EXPECT_NEAR(svd.singular_values[2], 2, 1e-6);
  const Matrix projections = projections_of(svd);
  EXPECT_LT((projections - expected).cwiseAbs().maxCoeff(), 1e-6);
  EXPECT_EQ(projections.rightCols(5).cwiseAbs().maxCoeff(), 0);
}

TEST(TruncatedSvd, OfNothingIsZero) {
  SparseFeatures empty;
  empty.offsets = {0, 0, 0};
  const TruncatedSvd svd = truncated_svd(empty, options_of(2, 2));
  EXPECT_TRUE(svd.singular_values.empty());
  EXPECT_THAT(svd.projections, testing::ElementsAre(0, 0, 0, 0));
  EXPECT_TRUE(truncated_svd(SparseFeatures(), options_of(2, 2)).projections.empty());
}

TEST(TruncatedSvd, DependsOnItsSeedOnlyWhereItIsNotExact) {
  const SparseFeatures features = sparse(random_matrix(60, 40, 20));
  TruncatedSvdOptions options = options_of(6, 2);
  options.power_iterations = 1;
  const TruncatedSvd once = truncated_svd(features, options);
  EXPECT_EQ(truncated_svd(features, options).projections, once.projections);
  options.seed = 43;
  EXPECT_NE(truncated_svd(features, options).projections, once.projections);
}

}  // namespace
}  // namespace genrec
