#include "nn/residual_quantizer.h"

#include <cmath>
#include <vector>

#include "nn/autograd_leaves.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

/// A quantiser with random codebooks, its store and leaf.
struct Fixture {
  ParameterStore store;
  ResidualQuantizer quantizer;
  AutogradLeaves leaves;

  explicit Fixture(const ResidualQuantizerOptions& options)
      : store(at::kCPU, Precision::kFloat32),
        quantizer(store, "quantizer", options),
        leaves((store.allocate(), store)) {
    quantizer.codebooks().copy_(test::normal({options.levels, options.codes, options.dim}, 11));
  }
  [[nodiscard]] const at::Tensor& leaf() const { return leaves[quantizer.parameter()]; }
  [[nodiscard]] at::Tensor gradient() { return store.gradient(quantizer.parameter()); }
};

ResidualQuantizerOptions small(bool paper = false) {
  return {.levels = 3, .codes = 8, .dim = 5, .commitment = 0.25, .paper_gradient = paper};
}

at::Tensor leaf_of(const at::Tensor& values) {
  return values.clone().set_requires_grad(true);
}

struct Literal {
  at::Tensor z_hat, loss;
};

/// The formulas as they are written down (TIGER, section 3.1; per-level straight-through as released).
Literal literal(const at::Tensor& z, const at::Tensor& books, const at::Tensor& codes, double commitment,
                bool paper) {
  at::Tensor r = z, z_hat = at::zeros_like(z), loss = at::zeros({});
  const std::int64_t levels = books.size(0);
  for (std::int64_t level = 0; level < levels; ++level) {
    const at::Tensor q = books.select(0, level).index_select(0, codes.select(1, level));
    loss = loss + (q - r.detach()).square().mean() + (q.detach() - r).square().mean() * commitment;
    if (paper) {
      z_hat = z_hat + q;
      r = r - q;
    } else {
      const at::Tensor s = r + (q - r).detach();
      z_hat = z_hat + s;
      r = r - s;
    }
  }
  if (paper) z_hat = z + (z_hat - z).detach();
  return {z_hat, loss / static_cast<double>(levels)};
}

TEST(ResidualQuantizer, DistancesAndNearestCodesByBruteForce) {
  const at::Tensor x = test::normal({40, 6}, 1), book = test::normal({9, 6}, 2);
  const at::Tensor distances = square_distances(x, book), nearest = nearest_codes(x, book);
  for (std::int64_t b = 0; b < 40; ++b) {
    std::int64_t best = 0;
    std::vector<double> exact;
    for (std::int64_t k = 0; k < 9; ++k) {
      exact.push_back((x[b].to(at::kDouble) - book[k].to(at::kDouble)).square().sum().item<double>());
      EXPECT_NEAR(distances[b][k].item<double>(), exact.back(), 1e-4);
      if (exact.back() < exact[static_cast<std::size_t>(best)]) best = k;
    }
    EXPECT_EQ(nearest[b].item<std::int64_t>(), best);
  }
}

TEST(ResidualQuantizer, QuantisesByHand) {
  Fixture f({.levels = 2, .codes = 2, .dim = 1, .commitment = 0.5});
  f.quantizer.codebooks().copy_(at::tensor({0.0F, 10.0F, -1.0F, 2.0F}).view({2, 2, 1}));
  const at::Tensor z = at::tensor({1.0F, 9.5F}).view({2, 1});
  const Quantized q = f.quantizer.forward(f.leaf(), z);
  // 1 = 0 + 2 - 1: residuals 1, then -1. 9.5 = 10 - 1 + 0.5: residuals -0.5, then 0.5.
  EXPECT_TRUE(at::equal(q.detail.codes, at::tensor({0L, 1L, 1L, 0L}).view({2, 2})));
  EXPECT_TRUE(at::equal(q.detail.residuals.view({3, 2}),
                        at::tensor({1.0F, 9.5F, 1.0F, -0.5F, -1.0F, 0.5F}).view({3, 2})));
  EXPECT_TRUE(at::equal(q.z_hat, at::tensor({2.0F, 9.0F}).view({2, 1})));
  // Level 1: (1 + 0.25) / 2, level 2: (1 + 0.25) / 2; their mean, once and half once more.
  EXPECT_NEAR(q.loss.item<double>(), 0.625 * 1.5, 1e-6);
  EXPECT_TRUE(at::equal(f.quantizer.encode(z).codes, q.detail.codes));
}

class BothGradients : public ::testing::TestWithParam<bool> {};

TEST_P(BothGradients, AreThoseOfTheLiteralFormulas) {
  const bool paper = GetParam();
  Fixture f(small(paper));
  const at::Tensor z = leaf_of(test::normal({20, 5}, 3)), weights = test::normal({20, 5}, 4);
  const Quantized q = f.quantizer.forward(f.leaf(), z);
  f.store.flat_gradients().zero_();
  ((q.z_hat * weights).sum() + q.loss * 7).backward();

  const at::Tensor z2 = leaf_of(z.detach()), books = leaf_of(f.quantizer.codebooks().contiguous());
  const Literal expected = literal(z2, books, q.detail.codes, 0.25, paper);
  ((expected.z_hat * weights).sum() + expected.loss * 7).backward();
  EXPECT_NEAR(q.loss.item<double>(), expected.loss.item<double>(), 1e-5);
  EXPECT_LT(test::difference(q.z_hat, expected.z_hat), 1e-5);
  EXPECT_LT(test::difference(z.grad(), z2.grad()), 1e-5);
  EXPECT_LT(test::difference(f.gradient(), books.grad()), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(ResidualQuantizer, BothGradients, ::testing::Values(false, true));

/// The gradient of the quantisation loss with respect to z, with these codebooks.
at::Tensor latent_gradient(const Fixture& f, const at::Tensor& z) {
  const at::Tensor leaf = leaf_of(z);
  f.quantizer.forward(f.leaf(), leaf).loss.backward();
  return leaf.grad();
}

TEST(ResidualQuantizer, CommitmentOfLaterLevelsDoesNotReachTheEncoder) {
  Fixture f(small());
  const at::Tensor z = test::normal({20, 5}, 3);
  const at::Tensor before = latent_gradient(f, z);
  // Exactly the first level's term ...
  const at::Tensor q = at::embedding(f.quantizer.codebook(0), nearest_codes(z, f.quantizer.codebook(0)));
  EXPECT_LT(test::difference(before, (z - q) * (2 * 0.25 / (20.0 * 5 * 3))), 1e-8);
  // ... to the bit, wherever the later codes are.
  f.quantizer.codebooks().narrow(0, 1, 2).mul_(100).add_(3);
  EXPECT_TRUE(at::equal(latent_gradient(f, z), before));
}

TEST(ResidualQuantizer, PapersGradientOfLaterLevelsReachesTheEncoder) {
  Fixture f(small(/*paper=*/true));
  const at::Tensor z = test::normal({20, 5}, 3);
  const at::Tensor before = latent_gradient(f, z);
  f.quantizer.codebooks().narrow(0, 1, 2).mul_(100).add_(3);
  EXPECT_FALSE(at::equal(latent_gradient(f, z), before));
}

TEST(ResidualQuantizer, WhatComesAfterItDoesNotReachTheCodebooks) {
  for (const bool paper : {false, true}) {
    Fixture f(small(paper));
    const at::Tensor z = leaf_of(test::normal({20, 5}, 3)), weights = test::normal({20, 5}, 4);
    const Quantized q = f.quantizer.forward(f.leaf(), z);
    f.store.flat_gradients().zero_();
    (q.z_hat * weights).sum().backward();  // reconstruction and collaborative loss see z_hat alone
    EXPECT_EQ(f.store.flat_gradients().abs().max().item<float>(), 0) << "paper " << paper;
    EXPECT_TRUE(at::equal(z.grad(), weights)) << "paper " << paper;
  }
}

TEST(ResidualQuantizer, SharesOfRanksAddUpToTheLossOfTheBatch) {
  Fixture f(small());
  const at::Tensor z = test::normal({20, 5}, 3);
  QuantizeRequest request;
  request.mean_over = 20;
  const double whole = f.quantizer.forward(f.leaf(), z).loss.item<double>();
  const double parts = f.quantizer.forward(f.leaf(), z.narrow(0, 0, 13), request).loss.item<double>() +
                       f.quantizer.forward(f.leaf(), z.narrow(0, 13, 7), request).loss.item<double>();
  EXPECT_NEAR(parts, whole, 1e-6);
}

TEST(ResidualQuantizer, TheLastLevelIsAssignedAsAskedFor) {
  Fixture f(small());
  const at::Tensor z = test::normal({6, 5}, 3);
  QuantizeRequest request;
  request.distances = true;
  at::Tensor seen;
  request.last_level = [&seen](const at::Tensor& residual, const at::Tensor& codebook) {
    EXPECT_FALSE(residual.requires_grad());
    seen = square_distances(residual, codebook);
    return at::full({residual.size(0)}, 3, at::kLong);
  };
  const ResidualCodes plain = f.quantizer.encode(z), asked = f.quantizer.encode(z, request);
  EXPECT_TRUE(at::equal(asked.codes.narrow(1, 0, 2), plain.codes.narrow(1, 0, 2)));
  EXPECT_TRUE(asked.codes.select(1, 2).eq(3).all().item<bool>());
  ASSERT_EQ(asked.distances.size(), 3U);
  EXPECT_TRUE(at::equal(asked.distances[2], seen));
  EXPECT_LT(test::difference(asked.quantized + asked.residuals[3], z), 1e-5);
}

TEST(ResidualQuantizer, UniformStartIsSmallAndKeyed) {
  Fixture a(small()), b(small());
  a.quantizer.initialise(1);
  b.quantizer.initialise(1);
  EXPECT_TRUE(at::equal(a.quantizer.codebooks(), b.quantizer.codebooks()));
  EXPECT_LE(a.quantizer.codebooks().abs().max().item<float>(), 1.0F / 8);
  EXPECT_GT(a.quantizer.codebooks().abs().max().item<float>(), 0.9F / 8);
}

TEST(CodebookUse, ByHand) {
  const at::Tensor codes = at::tensor({0L, 2L, 0L, 2L, 1L, 2L, 3L, 2L}).view({4, 2});
  const std::vector<CodebookUse> use = codebook_use(codes, 5);
  ASSERT_EQ(use.size(), 2U);
  EXPECT_EQ(use[0].used, 3);
  EXPECT_EQ(use[0].codes, 5);
  EXPECT_EQ(use[0].largest, 2);
  EXPECT_DOUBLE_EQ(use[0].entropy_bits, 1.5);  // shares 1/2, 1/4, 1/4
  EXPECT_DOUBLE_EQ(use[0].perplexity, std::exp2(1.5));
  EXPECT_EQ(use[1].used, 1);
  EXPECT_DOUBLE_EQ(use[1].entropy_bits, 0);
  EXPECT_DOUBLE_EQ(use[1].perplexity, 1);
}

}  // namespace
}  // namespace genrec
