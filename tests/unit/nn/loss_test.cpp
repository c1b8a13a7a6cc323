#include <ATen/Parallel.h>

#include <algorithm>

#include "nn/cross_entropy.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

struct Loss {
  double sum;
  at::Tensor dhidden, dweight;
};

Loss loss_of(const at::Tensor& hidden, const at::Tensor& weight, const std::vector<TokenId>& targets,
             double tau) {
  Loss loss{0, {}, at::zeros(weight.sizes(), at::kFloat)};
  loss.sum = cross_entropy(hidden, weight, targets, tau, &loss.dhidden, loss.dweight).item<double>();
  return loss;
}

/// Without gradients.
double sum_of(const at::Tensor& hidden, const at::Tensor& weight, const std::vector<TokenId>& targets,
              double tau) {
  return cross_entropy(hidden, weight, targets, tau, nullptr, at::Tensor()).item<double>();
}

std::vector<TokenId> some_targets(std::int64_t rows, std::int64_t vocabulary) {
  std::vector<TokenId> targets;
  for (std::int64_t i = 0; i < rows; ++i) targets.push_back(static_cast<TokenId>((i * 37 + 5) % vocabulary));
  return targets;
}

TEST(CrossEntropy, EqualsTheAtenOperations) {
  // More rows than a chunk, a vocabulary that is no multiple of a vector, and large logits.
  const at::Tensor hidden = test::normal({301, 24}, 1) * 3, weight = test::normal({1003, 24}, 2);
  const std::vector<TokenId> targets = some_targets(301, 1003);
  for (const double tau : {1.0, 0.7}) {
    const Loss kernels = loss_of(hidden, weight, targets, tau);
    EXPECT_NEAR(sum_of(hidden, weight, targets, tau), kernels.sum, 1e-9 * kernels.sum);
    const ForceComposite composite;
    const Loss reference = loss_of(hidden, weight, targets, tau);
    EXPECT_NEAR(kernels.sum, reference.sum, 1e-6 * reference.sum);
    EXPECT_LT(test::difference(kernels.dhidden, reference.dhidden), 2e-5);
    EXPECT_LT(test::difference(kernels.dweight, reference.dweight), 5e-5);
  }
}

TEST(CrossEntropy, Bfloat16IsCloseToFloat32) {
  // Three blocks of the vocabulary, an odd last one, and two chunks of rows.
  const at::Tensor hidden = test::normal({300, 32}, 1), weight = test::normal({3001, 32}, 2) * 0.3;
  const std::vector<TokenId> targets = some_targets(300, 3001);
  const Loss wide = loss_of(hidden, weight, targets, 1);
  const Loss narrow = loss_of(hidden.to(at::kBFloat16), weight.to(at::kBFloat16), targets, 1);
  EXPECT_NEAR(narrow.sum, wide.sum, 5e-3 * wide.sum);
  EXPECT_LT((narrow.dhidden - wide.dhidden).norm().item<double>() / wide.dhidden.norm().item<double>(), 2e-2);
  EXPECT_LT((narrow.dweight - wide.dweight).norm().item<double>() / wide.dweight.norm().item<double>(), 2e-2);
}

TEST(CrossEntropy, ThreadsChangeNothing) {
  const int threads = at::get_num_threads();
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor hidden = test::normal({300, 16}, 1).to(type),
                     weight = test::normal({3001, 16}, 2).to(type);
    const std::vector<TokenId> targets = some_targets(300, 3001);
    at::set_num_threads(1);
    const Loss one = loss_of(hidden, weight, targets, 1);
    for (const int number : {2, 3}) {
      at::set_num_threads(number);
      const Loss more = loss_of(hidden, weight, targets, 1);
      EXPECT_EQ(more.sum, one.sum);
      EXPECT_TRUE(at::equal(more.dhidden, one.dhidden) && at::equal(more.dweight, one.dweight)) << type;
    }
  }
  at::set_num_threads(threads);
}

TEST(LogProbabilities, FewRowsScoreAsManyDo) {
  const at::Tensor hidden = test::normal({100, 128}, 1), weight = test::normal({3000, 128}, 2);
  std::vector<std::int64_t> offsets;
  for (std::int64_t row = 0; row <= 100; ++row) offsets.push_back(row);
  const std::vector<TokenId> candidates = some_targets(100, 3000);
  std::vector<float> all(100), some(100);
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  log_probabilities(hidden, weight, offsets, candidates, all);
  at::set_num_threads(1);
  log_probabilities(hidden, weight, offsets, candidates, some);
  at::set_num_threads(threads);
  EXPECT_EQ(all, some) << "threads";
  for (const std::size_t rows : {1, 2, 3, 7, 30}) {
    log_probabilities(hidden.narrow(0, 0, static_cast<std::int64_t>(rows)), weight,
                      std::span(offsets).first(rows + 1), std::span(candidates).first(rows),
                      std::span(some).first(rows));
    // MKL's AVX-512 and Intel kernels do differ in the last bits.
    for (std::size_t r = 0; r < rows; ++r) EXPECT_NEAR(some[r], all[r], 2e-5);
  }
}

TEST(LogProbabilities, EqualALogSoftmaxOverTheWholeVocabulary) {
  const at::Tensor hidden = test::normal({300, 16}, 1) * 2, weight = test::normal({2500, 16}, 2);
  std::vector<std::int64_t> offsets{0};
  std::vector<TokenId> candidates;
  for (std::int64_t row = 0; row < 300; ++row) {
    for (std::int64_t j = 0; j < (row == 100 ? 2500 : row % 4); ++j)  // one row has all tokens
      candidates.push_back(static_cast<TokenId>((row * 977 + j * 611) % 2500));
    std::sort(candidates.begin() + offsets.back(), candidates.end());
    offsets.push_back(static_cast<std::int64_t>(candidates.size()));
  }
  std::vector<float> ours(candidates.size()), composite(candidates.size());
  log_probabilities(hidden, weight, offsets, candidates, ours);
  const at::Tensor reference = at::log_softmax(at::mm(hidden, weight.t()).to(at::kDouble), -1);
  const ForceComposite forced;
  log_probabilities(hidden, weight, offsets, candidates, composite);
  for (std::int64_t row = 0; row < 300; ++row) {
    for (auto j = static_cast<std::size_t>(offsets[static_cast<std::size_t>(row)]);
         j < static_cast<std::size_t>(offsets[static_cast<std::size_t>(row) + 1]); ++j) {
      EXPECT_NEAR(ours[j], reference[row][candidates[j]].item<double>(), 2e-5);
      EXPECT_NEAR(composite[j], ours[j], 2e-5);
    }
  }
}

}  // namespace
}  // namespace genrec
