#include <ATen/Parallel.h>

#include <algorithm>
#include <string>
#include <vector>

#include "nn/activation.h"
#include "nn/embedding.h"
#include "nn/kernels/kernels.h"
#include "nn/rms_norm.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

struct Norm {
  at::Tensor out, rstd, dx, dweight;
};

Norm norm_of(const at::Tensor& x, const at::Tensor& weight, at::ScalarType type) {
  Norm n;
  n.out = rms_norm(x, weight, 1e-6, type, &n.rstd);
  n.dx = at::ones_like(x);
  n.dweight = at::ones_like(weight);
  rms_norm_backward(x, weight, n.rstd, test::normal({x.size(0), x.size(1)}, 5).to(type), n.dx, n.dweight);
  return n;
}

TEST(RmsNorm, KernelsEqualTheAtenOperations) {
  for (const std::int64_t width : {128, 21}) {
    const at::Tensor x = test::normal({300, width}, 1), weight = test::normal({width}, 2);
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      const Norm kernels = norm_of(x, weight, type);
      const ForceComposite composite;
      const Norm reference = norm_of(x, weight, type);
      EXPECT_LT(test::difference(kernels.out, reference.out), type == at::kFloat ? 1e-5 : 4e-2);
      EXPECT_LT(test::difference(kernels.dx, reference.dx), 1e-5);
      EXPECT_LT(test::difference(kernels.dweight, reference.dweight), 1e-4);
    }
  }
}

/// Rows so small that epsilon counts, and one of zeros.
TEST(RmsNorm, FollowsTheDefinition) {
  const at::Tensor x = test::normal({8, 48}, 1) * 1e-3, weight = test::normal({48}, 2);
  x[3].zero_();
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor expected = weight * wide / (wide.square().mean(1, true) + 1e-6).sqrt();
  EXPECT_LT(test::difference(norm_of(x, weight, at::kFloat).out, expected), 4e-6);
  const ForceComposite composite;
  EXPECT_LT(test::difference(norm_of(x, weight, at::kFloat).out, expected), 4e-6);
}

TEST(RmsNorm, ThreadsDoNotChangeTheWeightsGradient) {
  const at::Tensor x = test::normal({1000, 64}, 1), weight = test::normal({64}, 2);
  at::set_num_threads(1);
  const Norm one = norm_of(x, weight, at::kFloat);
  at::set_num_threads(2);
  EXPECT_TRUE(at::equal(norm_of(x, weight, at::kFloat).dweight, one.dweight));
}

TEST(Activation, KernelsEqualTheAtenOperations) {
  const PackedLayout layout = test::layout_of({40, 13});
  for (const std::int64_t width : {64, 28}) {
    const Dropout dropout(layout, 0.2, DropoutSite::kEncoderHidden, 1);
    const at::Tensor x = test::normal({53, width}, 1), y = test::normal({53, width}, 2);
    const at::Tensor both = test::normal({53, 2 * width}, 3) * 2;
    const auto run = [&] {
      std::vector<at::Tensor> results{add_dropout(x, y.clone(), dropout),
                                      scaled_dropout(x, 0.5, dropout, at::kFloat)};
      at::Tensor hidden = x.clone(), gradient = y.clone();
      relu_dropout(hidden, dropout);
      relu_dropout_backward(hidden, gradient, dropout);
      results.insert(results.end(), {hidden, gradient, gated_gelu_dropout(both, dropout),
                                     gated_gelu_dropout_backward(both, y, dropout)});
      return results;
    };
    const std::vector<at::Tensor> kernels = run();
    const ForceComposite composite;
    const std::vector<at::Tensor> reference = run();
    for (std::size_t i = 0; i < kernels.size(); ++i)
      EXPECT_LT(test::difference(kernels[i], reference[i]), 2e-5) << i;
  }
}

TEST(Embedding, GradientsOfRepeatedTokensAddUp) {
  const PackedLayout layout = test::layout_of({4});
  const std::vector<TokenId> tokens{2, 0, 2, 2};
  const Dropout dropout(layout, 0.4, DropoutSite::kDecoderEmbedding, 0);
  const at::Tensor dx = test::normal({4, 24}, 1), table = test::normal({3, 24}, 2);
  at::Tensor ours = at::zeros({3, 24}), reference = at::zeros({3, 24});
  const at::Tensor rows = embed(table, tokens, dropout);
  embed_backward(ours, tokens, dx, dropout);
  EXPECT_EQ(ours[1].abs().sum().item<double>(), 0);
  const ForceComposite composite;
  EXPECT_TRUE(at::equal(rows, embed(table, tokens, dropout)));
  embed_backward(reference, tokens, dx, dropout);
  EXPECT_LT(test::difference(ours, reference), 1e-6);
}

TEST(Kernels, TheTableIsTheOneAskedFor) {
  EXPECT_NE(kernels<float>().attention, nullptr);
  const char* asked = std::getenv("GENREC_ISA");
  if (asked == nullptr) return;
  const std::vector<std::string> widths{"baseline", "avx2", "avx512", "avx512bf16"};
  ASSERT_NE(std::ranges::find(widths, asked), widths.end()) << asked;
  if (std::ranges::find(widths, kernel_isa()) < std::ranges::find(widths, asked)) {
    GTEST_SKIP() << "this processor has no " << asked;
  }
  EXPECT_STREQ(kernel_isa(), asked);
}

}  // namespace
}  // namespace genrec
