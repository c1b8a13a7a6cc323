#include "nn/activation.h"
#include "nn/packed.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

/// Factors by the kernels: dropout of ones.
at::Tensor factors(const Dropout& dropout, std::int64_t rows, std::int64_t columns) {
  return scaled_dropout(at::ones({rows, columns}), 1, dropout, at::kFloat);
}

double correlation(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.flatten().to(at::kDouble), y = b.flatten().to(at::kDouble);
  return (((x - x.mean()) * (y - y.mean())).mean() / (x.std() * y.std())).item<double>();
}

TEST(Dropout, KernelsAndAtenOperationsDrawTheSameMasks) {
  const PackedLayout layout = test::layout_of({33, 5, 70});
  for (const double p : {0.001, 0.1, 0.5, 0.9}) {
    const Dropout dropout(layout, p, DropoutSite::kDecoderHidden, 3);
    for (const std::int64_t columns : {1, 77}) {
      const at::Tensor kernels = factors(dropout, 108, columns);
      EXPECT_TRUE(at::equal(kernels, dropout.factors(columns))) << p << ", " << columns << " columns";
      EXPECT_TRUE(at::equal(kernels, dropout.factors(columns))) << "a second time";
      // Head 0 has the masks of the rows; the others have their own.
      const at::Tensor heads = dropout.head_factors(layout, 3, columns);
      const at::Tensor first = heads.select(1, 0).reshape({3 * 70, columns});
      EXPECT_TRUE(at::equal(first.index_select(0, layout.padded_index().to_packed), kernels));
      EXPECT_TRUE(columns == 1 || !at::equal(heads.select(1, 1), heads.select(1, 2)));
    }
  }
}

TEST(PackedLayout, PaddedPlacesGoThereAndBack) {
  const PackedLayout layout = test::layout_of({2, 0, 3});
  const PaddedIndex& index = layout.padded_index();
  EXPECT_TRUE(at::equal(index.to_packed, at::tensor({0, 1, 6, 7, 8}, at::kLong)));
  EXPECT_TRUE(at::equal(index.to_padded, at::tensor({0, 1, 0, 0, 0, 0, 2, 3, 4}, at::kLong)));
  EXPECT_TRUE(at::equal(index.used.flatten(), at::tensor({1, 1, 0, 0, 0, 0, 1, 1, 1}, at::kFloat)));
}

TEST(Dropout, SharesAndCorrelationsAreThoseOfIndependentDraws) {
  const PackedLayout layout = test::layout_of({400, 600});
  const std::int64_t columns = 512;
  const double n = 1000.0 * static_cast<double>(columns), four_sigma = 4 / std::sqrt(n);
  for (const double p : {0.1, 0.5}) {
    const Dropout one(layout, p, DropoutSite::kEncoderHidden, 0),
        other(layout, p, DropoutSite::kEncoderHidden, 1);
    const at::Tensor a = factors(one, 1000, columns), b = factors(other, 1000, columns);
    EXPECT_NEAR(a.eq(0).to(at::kDouble).mean().item<double>(), p, 4 * std::sqrt(p * (1 - p) / n));
    EXPECT_TRUE(a.eq(0).logical_or(a.eq(static_cast<float>(1 / (1 - p)))).all().item<bool>());
    EXPECT_LT(std::abs(correlation(a, b)), four_sigma) << "sites";
    EXPECT_LT(std::abs(correlation(a.narrow(0, 0, 999), a.narrow(0, 1, 999))), four_sigma * 1.1) << "rows";
    EXPECT_LT(std::abs(correlation(a.narrow(1, 0, 511), a.narrow(1, 1, 511))), four_sigma * 1.1) << "columns";
    // Row and column sums scatter as binomial ones.
    const double expected = static_cast<double>(columns) * p * (1 - p);
    EXPECT_NEAR(a.eq(0).sum(1).to(at::kDouble).var().item<double>() / expected, 1.0, 0.25);
    EXPECT_NEAR(a.eq(0).sum(0).to(at::kDouble).var().item<double>() / (1000 * p * (1 - p)), 1.0, 0.3);
  }
}

TEST(Dropout, HangsOnTheSampleNotOnTheBatch) {
  PackedLayout batch({0, 4, 11, 14}, at::kCPU), alone({0, 7}, at::kCPU), next({0, 7}, at::kCPU);
  batch.draw_keys(5, std::vector<std::uint64_t>{1, 77, 3});
  alone.draw_keys(5, std::vector<std::uint64_t>{77});
  next.draw_keys(6, std::vector<std::uint64_t>{77});
  const auto mask = [](const PackedLayout& l) {
    return factors(Dropout(l, 0.3, DropoutSite::kEncoderFinal, 0), l.tokens(), 50);
  };
  EXPECT_TRUE(at::equal(mask(batch).narrow(0, 4, 7), mask(alone)));
  EXPECT_FALSE(at::equal(mask(alone), mask(next)));
}

}  // namespace
}  // namespace genrec
