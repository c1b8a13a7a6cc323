#include "tokenizers/rqvae/rqvae_losses.h"

#include <cmath>
#include <vector>

#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

at::Tensor leaf_of(const at::Tensor& values) {
  return values.clone().set_requires_grad(true);
}

double product_of(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) * b.to(at::kDouble)).sum().item<double>();
}

TEST(RqvaeLosses, ReconstructionIsTheMeanSquare) {
  const at::Tensor a = at::tensor({1.0F, 2.0F, 3.0F, 4.0F}).view({2, 2});
  const at::Tensor b = at::tensor({0.0F, 2.0F, 5.0F, 1.0F}).view({2, 2});
  EXPECT_FLOAT_EQ(reconstruction_loss(a, b, 2).item<float>(), (1.0F + 0 + 4 + 9) / 4);
  // The rank's share of a batch of 8 rows.
  EXPECT_FLOAT_EQ(reconstruction_loss(a, b, 8).item<float>(), (1.0F + 0 + 4 + 9) / 16);
}

TEST(RqvaeLosses, CollaborativeByHand) {
  const at::Tensor z = test::normal({5, 3}, 1), h = test::normal({5, 3}, 2);
  double sum = 0;
  for (std::int64_t b = 0; b < 5; ++b) {
    double exponentials = 0;
    for (std::int64_t j = 0; j < 5; ++j) exponentials += std::exp(product_of(z[b], h[j]));
    sum -= product_of(z[b], h[b]) - std::log(exponentials);
  }
  EXPECT_NEAR(collaborative_loss(z, h, 0).item<double>(), sum / 5, 1e-5);
}

TEST(RqvaeLosses, CollaborativeSharesAddUpWithTheirGradients) {
  const at::Tensor h = test::normal({7, 3}, 2);
  const at::Tensor whole = leaf_of(test::normal({7, 3}, 1)), shares = leaf_of(whole.detach());
  const at::Tensor loss = collaborative_loss(whole, h, 0);
  loss.backward();
  const at::Tensor first = collaborative_loss(shares.narrow(0, 0, 4), h, 0);
  const at::Tensor second = collaborative_loss(shares.narrow(0, 4, 3), h, 4);
  (first + second).backward();
  EXPECT_NEAR((first + second).item<double>(), loss.item<double>(), 1e-6);
  EXPECT_LT(test::difference(shares.grad(), whole.grad()), 1e-6);
}

/// As LETTER's text and code have it, row by row: q_l E^T, the own code masked, cross entropy.
at::Tensor literal_diversity(const at::Tensor& books, const at::Tensor& codes, const at::Tensor& positives) {
  at::Tensor total = at::zeros({});
  const std::int64_t levels = books.size(0), rows = codes.size(0);
  for (std::int64_t level = 0; level < levels; ++level) {
    const at::Tensor book = books.select(0, level), own = codes.select(1, level);
    const at::Tensor q = book.index_select(0, own);
    at::Tensor mask = at::zeros({rows, book.size(0)});
    for (std::int64_t b = 0; b < rows; ++b) mask[b][own[b].item<std::int64_t>()] = -1e12;
    const at::Tensor logits = at::mm(q, book.t()) + mask;
    total = total + at::cross_entropy_loss(logits, positives.select(1, level));
  }
  return total / static_cast<double>(levels);
}

struct Draw {
  at::Tensor codes, positives;
};

/// Few codes for many rows, so that rows repeat, and never the own code as a positive.
Draw draw(std::int64_t rows, std::int64_t levels, std::int64_t size) {
  auto generator = at::detail::createCPUGenerator(5);
  const at::Tensor codes = at::randint(size, {rows, levels}, generator, at::kLong);
  const at::Tensor step = at::randint(1, size, {rows, levels}, generator, at::kLong);
  return {codes, (codes + step).remainder(size)};
}

TEST(RqvaeLosses, DiversityEqualsTheLiteralFormula) {
  const auto [codes, positives] = draw(50, 3, 6);
  const at::Tensor books = leaf_of(test::normal({3, 6, 4}, 1)), same = leaf_of(books.detach());
  const at::Tensor loss = diversity_loss(books, codes, positives, 50);
  const at::Tensor expected = literal_diversity(same, codes, positives);
  EXPECT_NEAR(loss.item<double>(), expected.item<double>(), 1e-5);
  loss.backward();
  expected.backward();
  EXPECT_LT(test::difference(books.grad(), same.grad()), 1e-6);
  EXPECT_GT(books.grad().abs().min().item<float>(), 0);  // own codes and others
}

TEST(RqvaeLosses, DiversitySharesAddUp) {
  const auto [codes, positives] = draw(20, 2, 5);
  const at::Tensor books = test::normal({2, 5, 4}, 1);
  const double whole = diversity_loss(books, codes, positives, 20).item<double>();
  const double parts =
      diversity_loss(books, codes.narrow(0, 0, 6), positives.narrow(0, 0, 6), 20).item<double>() +
      diversity_loss(books, codes.narrow(0, 6, 14), positives.narrow(0, 6, 14), 20).item<double>();
  EXPECT_NEAR(parts, whole, 1e-6);
}

}  // namespace
}  // namespace genrec
