// What a GPU computes beside what the CPU's kernels do. The same tests run with ATen operations on the CPU,
// so that they are exercised where there is no GPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "comm/device_reducer.h"
#include "decoding/device_search.h"
#include "decoding/generator.h"
#include "nn/packed.h"
#include "nn/precision.h"
#include "optim/adamw.h"
#include "optim/gradient_reducer.h"
#include "unit/decoding/same_hypotheses.h"
#include "unit/decoding/tiny_model.h"
#include "unit/decoding/tries.h"

namespace genrec {
namespace {

#define GENREC_NEEDS_GPU()                                        \
  if (!at::globalContext().hasCUDA()) {                           \
    GTEST_SKIP() << "SKIPPED: no GPU is visible to this program"; \
  }

double relative_difference(const at::Tensor& a, const at::Tensor& reference) {
  return (a.cpu() - reference.cpu()).norm().item<double>() / reference.cpu().norm().item<double>();
}

Seq2SeqBatch random_batch(std::int64_t samples) {
  Seq2SeqBatch batch;
  batch.source = test::random_sources(samples, 3);
  RandomStream random(4, Purpose::kTest);
  for (std::int64_t s = 0; s < samples; ++s) {
    for (int i = 0; i < 4; ++i) batch.target.tokens.push_back(3 + static_cast<TokenId>(random.below(45)));
    batch.target.tokens.push_back(kEndToken);
    batch.target.close_sequence();
    batch.keys.push_back(static_cast<std::uint64_t>(s) + 50);
  }
  return batch;
}

enum class Where { kCompositeOnCpu, kCuda };

/// Models on the CPU, computed by kernels, and on the device of the test.
class OnDevice : public testing::TestWithParam<std::tuple<Where, bool>> {
 protected:
  void SetUp() override {
    const auto [where, gated] = GetParam();
    gated_ = gated;
    if (where == Where::kCompositeOnCpu) return;
    GENREC_NEEDS_GPU();
    device_ = at::Device(at::kCUDA, 0);
    sum_products_in_float32();
  }
  [[nodiscard]] std::unique_ptr<T5Model> model_on(at::Device device, Precision precision) const {
    auto model = std::make_unique<T5Model>(test::tiny_config(gated_), device, precision);
    model->initialise(7);
    return model;
  }
  [[nodiscard]] std::unique_ptr<T5Model> reference(Precision precision) const {
    return model_on(at::kCPU, precision);
  }
  [[nodiscard]] std::unique_ptr<T5Model> tested(Precision precision) const {
    return model_on(device_, precision);
  }
  /// Without kernels on the CPU from here on.
  void leave_kernels() {
    if (device_.is_cpu()) composite_.emplace();
  }

  at::Device device_ = at::kCPU;
  bool gated_ = false;
  std::optional<ForceComposite> composite_;
};

struct Computed {
  double loss = 0;
  at::Tensor gradients;
};

Computed compute(T5Model& model, const Seq2SeqBatch& batch) {
  TrainingPass pass;
  pass.dropout = 0.1;
  pass.dropout_key = 5;
  pass.tau = 0.8;
  model.parameters().flat_gradients().zero_();
  const LossSum loss = model.accumulate_gradients(batch, pass);
  return {loss.sum, model.parameters().flat_gradients().cpu().clone()};
}

/// Only the order of sums differs: 2e-5 of the norm, 1e-5 of the loss.
TEST_P(OnDevice, LossAndGradientsAreThoseOfTheKernels) {
  const Seq2SeqBatch batch = random_batch(9);
  const Computed expected = compute(*reference(Precision::kFloat32), batch);
  const auto model = tested(Precision::kFloat32);
  leave_kernels();
  const Computed found = compute(*model, batch);
  EXPECT_NEAR(found.loss, expected.loss, 1e-5 * expected.loss);
  EXPECT_LT(relative_difference(found.gradients, expected.gradients), 2e-5);
}

/// In bf16 the error against f32 is that of the kernels in bf16: at most twice it, and below 5 %.
TEST_P(OnDevice, Bfloat16IsAsGoodAsTheKernels) {
  const Seq2SeqBatch batch = random_batch(9);
  const Computed exact = compute(*reference(Precision::kFloat32), batch);
  const Computed kernels = compute(*reference(Precision::kBFloat16), batch);
  const auto model = tested(Precision::kBFloat16);
  leave_kernels();
  const Computed found = compute(*model, batch);
  const double usual = relative_difference(kernels.gradients, exact.gradients);
  EXPECT_LT(relative_difference(found.gradients, exact.gradients), std::min(2 * usual, 0.05));
  EXPECT_NEAR(found.loss, kernels.loss, 5e-3 * kernels.loss);
}

/// Training has to be reproducible: twice the same bits, whatever is added where tokens repeat.
TEST_P(OnDevice, GradientsComeTwiceAlike) {
  if (device_.is_cpu())
    GTEST_SKIP() << "ATen's sums into repeated rows are atomic on CPUs with several threads";
  const Seq2SeqBatch batch = random_batch(60);
  const auto model = tested(Precision::kFloat32);
  const Computed once = compute(*model, batch), again = compute(*model, batch);
  EXPECT_EQ(once.loss, again.loss);
  EXPECT_TRUE(at::equal(once.gradients, again.gradients));
}

TEST_P(OnDevice, AnAdamWStepIsThatOfTheKernels) {
  const Seq2SeqBatch batch = random_batch(9);
  const auto cpu = reference(Precision::kFloat32), model = tested(Precision::kFloat32);
  // The same gradients: a first step divides them by their own size and would blow up what rounding left.
  (void)compute(*cpu, batch);
  model->parameters().flat_gradients().copy_(cpu->parameters().flat_gradients());
  const double norm = gradient_norm(cpu->parameters());
  EXPECT_NEAR(gradient_norm(model->parameters()), norm, 1e-5 * norm);
  const at::Tensor before = cpu->parameters().flat_values().clone();
  AdamW expected(cpu->parameters(), {.weight_decay = 0.1});
  expected.step(0.01, 1.0 / 45);
  AdamW found(model->parameters(), {.weight_decay = 0.1});
  leave_kernels();
  found.step(0.01, 1.0 / 45);
  EXPECT_GT((cpu->parameters().flat_values() - before).abs().max().item<float>(), 5e-3F);
  const at::Tensor values = model->parameters().flat_values().cpu();
  EXPECT_LT((values - cpu->parameters().flat_values()).abs().max().item<float>(), 1e-5F);
}

TEST_P(OnDevice, BeamSearchFindsWhatTheHostFinds) {
  const PrefixTrie trie = test::trie_of(test::random_sequences(60, 1, 4, 6, 7));
  const PackedSequences sources = test::random_sources(6, 8);
  const BeamOptions options{.beams = 10};
  const auto expected = generate(*reference(Precision::kFloat32), sources, trie.automaton(), options);
  const auto model = tested(Precision::kFloat32);
  leave_kernels();
  const auto found = generate_on_device(*model, sources, DeviceAutomaton(trie.automaton(), device_), options);
  test::expect_same_hypotheses(found, expected, 2e-5);
}

INSTANTIATE_TEST_SUITE_P(Places, OnDevice,
                         testing::Combine(testing::Values(Where::kCompositeOnCpu, Where::kCuda),
                                          testing::Bool()),
                         [](const auto& place) {
                           const bool cuda = std::get<0>(place.param) == Where::kCuda;
                           return std::string(cuda ? "Cuda" : "CompositeOnCpu") +
                                  (std::get<1>(place.param) ? "GatedUntied" : "ReluTied");
                         });

TEST(Nccl, ASumOverOneRankLeavesTheGradients) {
  GENREC_NEEDS_GPU();
  T5Model model(test::tiny_config(), at::Device(at::kCUDA, 0), Precision::kFloat32);
  model.initialise(7);
  const auto world = make_single_communicator();
  const auto nccl = make_nccl_reducer(*world, 0);
  GradientReducer reducer(model.parameters(), *world, nccl.get(), 1 << 12);
  ASSERT_GT(reducer.buckets(), 2U);
  const Seq2SeqBatch batch = random_batch(9);
  const at::Tensor expected = compute(model, batch).gradients;
  model.parameters().flat_gradients().zero_();
  TrainingPass pass;
  pass.dropout = 0.1;
  pass.dropout_key = 5;
  pass.tau = 0.8;
  pass.on_gradient_ready = [&](std::size_t parameter) { reducer.ready(parameter); };
  reducer.begin();
  (void)model.accumulate_gradients(batch, pass);
  EXPECT_EQ(reducer.started(), reducer.buckets());
  reducer.finish();
  EXPECT_TRUE(at::equal(model.parameters().flat_gradients().cpu(), expected));
}

TEST(Nccl, AnExceptionDoesNotWaitForOtherRanks) {
  GENREC_NEEDS_GPU();
  const auto world = make_single_communicator();
  EXPECT_THROW(
      {
        const auto nccl = make_nccl_reducer(*world, 0);
        at::Tensor values = at::ones({1000}, at::Device(at::kCUDA, 0));
        nccl->start_sum(values.data_ptr<float>(), 1000, nullptr);
        throw std::runtime_error("elsewhere");
      },
      std::runtime_error);
}

}  // namespace
}  // namespace genrec
