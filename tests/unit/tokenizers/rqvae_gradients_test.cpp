// Acceptance check 2 of the method on the whole network; tests/unit/nn/residual_quantizer_test.cpp has it on
// the quantiser alone.
#include <gtest/gtest.h>

#include <string>

#include "tokenizers/rqvae/rqvae_losses.h"
#include "tokenizers/rqvae/rqvae_model.h"
#include "unit/nn/random_tensors.h"
#include "unit/tokenizers/planted.h"

namespace genrec {
namespace {

constexpr std::int64_t kRows = 40;

class AcceptanceCheck2 : public ::testing::Test {
 protected:
  AcceptanceCheck2() : model_(16, test::planted_options(), at::kCPU, Precision::kFloat32) {
    model_.initialise(1);
    model_.quantizer().codebooks().copy_(test::normal({3, 16, 4}, 2));
  }
  struct Pass {
    Quantized quantized;
    at::Tensor x, x_hat;
  };
  /// Forward, with gradients of earlier passes forgotten.
  Pass forward() {
    model_.parameters().flat_gradients().zero_();
    Pass pass;
    pass.x = test::planted_points(kRows, 8, 16, 1);
    const at::Tensor z = model_.encoder().forward(model_.leaves(), pass.x);
    pass.quantized = model_.quantizer().forward(model_.codebook_leaf(), z);
    pass.x_hat = model_.decoder().forward(model_.leaves(), pass.quantized.z_hat);
    return pass;
  }
  at::Tensor gradient(const std::string& name) {
    ParameterStore& store = model_.parameters();
    return store.gradient(store.index(name)).clone();
  }

  RqvaeModel model_;
};

TEST_F(AcceptanceCheck2, ReconstructionAndCollaborationDoNotMoveTheCodebooks) {
  const Pass pass = forward();
  const at::Tensor cf = test::normal({kRows, 4}, 3);
  (reconstruction_loss(pass.x_hat, pass.x, kRows) + collaborative_loss(pass.quantized.z_hat, cf, 0))
      .backward();
  EXPECT_EQ(gradient("quantizer.codebooks").abs().max().item<float>(), 0);
  EXPECT_GT(gradient("encoder.0.weight").abs().max().item<float>(), 0);
  EXPECT_GT(gradient("decoder.0.weight").abs().max().item<float>(), 0);
}

TEST_F(AcceptanceCheck2, CommitmentOfLaterLevelsDoesNotMoveTheEncoder) {
  forward().quantized.loss.backward();
  const at::Tensor before = gradient("encoder.0.weight"), codes = gradient("quantizer.codebooks");
  EXPECT_GT(before.abs().max().item<float>(), 0);  // by the first level
  for (std::int64_t level = 0; level < 3; ++level) EXPECT_GT(codes[level].abs().max().item<float>(), 0);
  model_.quantizer().codebooks().narrow(0, 1, 2).mul_(100).add_(3);
  forward().quantized.loss.backward();
  EXPECT_TRUE(at::equal(gradient("encoder.0.weight"), before));
}

}  // namespace
}  // namespace genrec
