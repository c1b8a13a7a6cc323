#include "model/t5_model.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "nn/packed.h"
#include "nn/precision.h"

namespace genrec {
namespace {

T5Config tiny(bool gated) {
  T5Config c = T5Config::preset("tiny");
  c.vocab_size = 101;
  c.gated_gelu = gated;
  c.tied_head = !gated;
  return c;
}

std::unique_ptr<T5Model> make(bool gated, Precision precision = Precision::kFloat32) {
  auto model = std::make_unique<T5Model>(tiny(gated), at::kCPU, precision);
  model->initialise(11);
  return model;
}

Seq2SeqBatch batch_of(const std::vector<std::uint64_t>& keys) {
  Seq2SeqBatch batch;
  for (std::uint64_t key : keys) {
    RandomStream random(key, Purpose::kTest);
    for (std::uint64_t i = 0; i < 3 + key % 20; ++i) {
      batch.source.tokens.push_back(static_cast<TokenId>(3 + random.below(98)));
    }
    batch.source.close_sequence();
    for (int i = 0; i < 4; ++i) batch.target.tokens.push_back(static_cast<TokenId>(3 + random.below(98)));
    batch.target.tokens.push_back(kEndToken);
    batch.target.close_sequence();
    batch.keys.push_back(key);
  }
  return batch;
}

at::Tensor gradients(T5Model& model, const Seq2SeqBatch& batch, const TrainingPass& pass) {
  model.parameters().flat_gradients().zero_();
  (void)model.accumulate_gradients(batch, pass);
  return model.parameters().flat_gradients().clone();
}

class T5ModelTest : public testing::TestWithParam<bool> {};

TEST_P(T5ModelTest, GradientsWithDropoutAgreeWithDifferencesOfTheLoss) {
  at::set_num_threads(1);  // many tiny passes: threads would only wait for each other
  const auto model = make(GetParam());
  const Seq2SeqBatch batch = batch_of({4, 9, 15});
  TrainingPass pass;
  pass.dropout = 0.2;
  pass.dropout_key = 5;
  pass.tau = 0.8;
  const at::Tensor gradient = gradients(*model, batch, pass);
  const at::Tensor value = model->parameters().flat_values();
  // Along random directions, one parameter at a time: every kind of weight is seen.
  for (std::size_t i = 0; i < model->parameters().entries().size(); ++i) {
    const ParameterStore::Entry& entry = model->parameters().entries()[i];
    const at::Tensor g = gradient.narrow(0, entry.offset, entry.count);
    at::Tensor v = value.narrow(0, entry.offset, entry.count);
    const double norm = g.norm().item<double>();
    ASSERT_GT(norm, 0) << entry.name;
    const at::Tensor direction = g / norm, before = v.clone();
    const double h = 2e-3;
    v.copy_(before + direction * h);
    const double above = model->accumulate_gradients(batch, pass).sum;
    v.copy_(before - direction * h);
    const double below = model->accumulate_gradients(batch, pass).sum;
    v.copy_(before);
    EXPECT_NEAR((above - below) / (2 * h) / norm, 1.0, 0.03) << entry.name;
  }
}

TEST_P(T5ModelTest, CompositeOperationsGiveTheSameGradients) {
  const auto model = make(GetParam());
  const Seq2SeqBatch batch = batch_of({1, 2, 33, 18});
  TrainingPass pass;
  pass.dropout = 0.1;
  const at::Tensor kernels = gradients(*model, batch, pass);
  const ForceComposite composite;
  const at::Tensor reference = gradients(*model, batch, pass);
  EXPECT_LT((kernels - reference).norm().item<double>() / reference.norm().item<double>(), 1e-5);
}

TEST_P(T5ModelTest, CompositeOperationsInBfloat16AreAsGoodAsTheKernels) {
  const auto wide = make(GetParam()), narrow = make(GetParam(), Precision::kBFloat16);
  const Seq2SeqBatch batch = batch_of({1, 2, 33, 18});
  TrainingPass pass;
  pass.dropout = 0.1;
  const at::Tensor exact = gradients(*wide, batch, pass);
  const auto error = [&] {
    return (gradients(*narrow, batch, pass) - exact).norm().item<double>() / exact.norm().item<double>();
  };
  const double kernels = error(), loss = narrow->loss(batch).sum;
  const ForceComposite composite;
  // Both round to bf16 in the same places, in other orders of summation.
  EXPECT_LT(error(), std::min(2 * kernels, 0.05));
  EXPECT_NEAR(narrow->loss(batch).sum, loss, 5e-3 * loss);
}

TEST_P(T5ModelTest, ASamplesLossDoesNotDependOnItsBatch) {
  const auto model = make(GetParam());
  TrainingPass pass;
  pass.dropout = 0.3;
  pass.dropout_key = 3;
  double apart = 0;
  for (std::uint64_t key : {5, 6, 7}) apart += model->accumulate_gradients(batch_of({key}), pass).sum;
  const double together = model->accumulate_gradients(batch_of({7, 5, 6}), pass).sum;
  EXPECT_NEAR(apart, together, 1e-5 * together);
  EXPECT_NE(together, model->loss(batch_of({7, 5, 6})).sum);
}

TEST_P(T5ModelTest, ThreadsDoNotChangeTheGradients) {
  const auto model = make(GetParam());
  const Seq2SeqBatch batch = batch_of({1, 2, 33, 18});
  TrainingPass pass;
  pass.dropout = 0.1;
  at::set_num_threads(1);
  const at::Tensor one = gradients(*model, batch, pass);
  at::set_num_threads(2);
  const at::Tensor two = gradients(*model, batch, pass);
  EXPECT_LT((one - two).norm().item<double>() / one.norm().item<double>(), 1e-6);
}

TEST_P(T5ModelTest, EveryGradientIsAnnouncedOnceAndThenStands) {
  const auto model = make(GetParam());
  const Seq2SeqBatch batch = batch_of({1, 2, 3});
  std::vector<int> announced(model->parameters().entries().size(), 0);
  std::vector<at::Tensor> then(announced.size());
  TrainingPass pass;
  pass.on_gradient_ready = [&](std::size_t i) {
    ++announced[i];
    then[i] = model->parameters().gradient(i).clone();
  };
  (void)gradients(*model, batch, pass);
  for (std::size_t i = 0; i < announced.size(); ++i) {
    EXPECT_EQ(announced[i], 1) << model->parameters().entries()[i].name;
    EXPECT_TRUE(at::equal(then[i], model->parameters().gradient(i))) << model->parameters().entries()[i].name;
  }
}

TEST_P(T5ModelTest, Bfloat16IsCloseToFloat32) {
  const auto wide = make(GetParam()), narrow = make(GetParam(), Precision::kBFloat16);
  const Seq2SeqBatch batch = batch_of({1, 2, 33, 18});
  TrainingPass pass;
  pass.dropout = 0.1;
  const at::Tensor a = gradients(*wide, batch, pass), b = gradients(*narrow, batch, pass);
  EXPECT_LT((a - b).norm().item<double>() / a.norm().item<double>(), 0.05);
  EXPECT_NEAR(wide->loss(batch).sum, narrow->loss(batch).sum, 0.02 * wide->loss(batch).sum);
}

/// Log-probabilities of `target` after forking beams: row order and count change at every step.
std::vector<float> decode_with_forks(const T5Model& model, const PackedSequences& source) {
  const auto state = model.start_decoding(source);
  std::vector<std::int32_t> sequences{0, 1}, parents{0, 0};
  std::vector<TokenId> tokens{kPadToken, kPadToken};
  std::vector<float> all;
  for (int step = 0; step < 3; ++step) {
    const at::Tensor hidden = model.decode_step(*state, tokens, parents, sequences);
    const auto rows = static_cast<std::int64_t>(tokens.size());
    std::vector<std::int64_t> offsets{0};
    std::vector<TokenId> wanted;
    for (std::int64_t r = 0; r < rows; ++r) {
      wanted.insert(wanted.end(), {7, 50});
      offsets.push_back(static_cast<std::int64_t>(wanted.size()));
    }
    std::vector<float> scores(wanted.size());
    model.score(hidden, offsets, wanted, scores);
    all.insert(all.end(), scores.begin(), scores.end());
    // Every row forks into tokens 7 and 50, the second fork of a sequence's rows first.
    std::vector<std::int32_t> next_parents, next_sequences;
    std::vector<TokenId> next_tokens;
    for (std::int32_t s = 0; s < 2; ++s) {
      for (const TokenId token : {50, 7}) {
        for (std::int32_t r = 0; r < static_cast<std::int32_t>(rows); ++r) {
          if (sequences[static_cast<std::size_t>(r)] != s) continue;
          next_parents.push_back(r);
          next_sequences.push_back(s);
          next_tokens.push_back(token);
        }
      }
    }
    parents = next_parents;
    sequences = next_sequences;
    tokens = next_tokens;
  }
  return all;
}

TEST_P(T5ModelTest, ForkedBeamsScoreAsTeacherForcingDoes) {
  const auto model = make(GetParam());
  const Seq2SeqBatch two = batch_of({8, 13});
  const std::vector<float> scores = decode_with_forks(*model, two.source);
  // In step 2 the rows of sequence 0 are the paths (50, 50), (7, 50), (50, 7), (7, 7).
  const std::vector<std::vector<TokenId>> paths{{50, 50}, {7, 50}, {50, 7}, {7, 7}};
  const std::size_t first = 4 + 8;  // two scores a row; 2 rows, then 4
  for (std::size_t p = 0; p < paths.size(); ++p) {
    Seq2SeqBatch one;
    one.source.tokens.assign(two.source.tokens.begin(), two.source.tokens.begin() + two.source.offsets[1]);
    one.source.close_sequence();
    one.target.tokens = {paths[p][0], paths[p][1], 7};
    one.target.close_sequence();
    const at::Tensor log_p = at::log_softmax(model->logits(one), -1)[2];
    EXPECT_NEAR(scores[first + 2 * p], log_p[7].item<float>(), 2e-5);
    EXPECT_NEAR(scores[first + 2 * p + 1], log_p[50].item<float>(), 2e-5);
  }
  const ForceComposite composite;
  const std::vector<float> reference = decode_with_forks(*model, two.source);
  for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], reference[i], 2e-5);
}

INSTANTIATE_TEST_SUITE_P(Kinds, T5ModelTest, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "GatedUntied" : "ReluTied"; });

class DecodingThreads : public testing::TestWithParam<Precision> {};

TEST_P(DecodingThreads, EachDecodesAsOneAlone) {
  const auto model = make(false, GetParam());
  const Seq2SeqBatch batch = batch_of({8, 13});
  const std::vector<float> alone = decode_with_forks(*model, batch.source);
  model->parameters().refresh_compute();  // what products pack of the weights is packed anew
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      at::set_num_threads(1);
      for (int i = 0; i < 5; ++i) result = decode_with_forks(*model, batch.source);
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) {
    for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_NEAR(result[i], alone[i], 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, DecodingThreads,
                         testing::Values(Precision::kFloat32, Precision::kBFloat16),
                         [](const auto& kind) { return std::string(precision_name(kind.param)); });

TEST(T5Model, InitialisationIsAFunctionOfTheSeed) {
  const auto one = make(true), same = make(true);
  EXPECT_TRUE(at::equal(one->parameters().flat_values(), same->parameters().flat_values()));
  T5Model other(tiny(true), at::kCPU, Precision::kFloat32);
  other.initialise(12);
  EXPECT_FALSE(at::equal(one->parameters().flat_values(), other.parameters().flat_values()));
  const ParameterStore& store = one->parameters();
  EXPECT_NEAR(store.value(store.index("shared.weight")).std().item<double>(), 1.0, 0.05);
  const at::Tensor q = store.value(store.index("encoder.block.0.layer.0.SelfAttention.q.weight"));
  EXPECT_NEAR(q.std().item<double>(), 1 / std::sqrt(64.0 * 16.0), 0.003);
  EXPECT_TRUE(store.value(store.index("decoder.final_layer_norm.weight")).eq(1).all().item<bool>());
}

TEST(T5Model, TokensOutsideTheVocabularyAreRefused) {
  const auto model = make(false);
  Seq2SeqBatch batch = batch_of({1});
  batch.target.tokens[2] = 101;
  EXPECT_THROW((void)model->loss(batch), DataError);
  batch = batch_of({1});
  batch.source.close_sequence();
  EXPECT_THROW((void)model->encode(batch.source), DataError);
}

TEST(GrowVocabulary, KeepsOldRowsAndDrawsNewOnesNearTheMean) {
  const auto model = make(true);
  const auto grown = grow_vocabulary(*model, 301, 5), again = grow_vocabulary(*model, 301, 5);
  EXPECT_EQ(grown->config().vocab_size, 301);
  EXPECT_TRUE(at::equal(grown->parameters().flat_values(), again->parameters().flat_values()));
  for (const char* name : {"shared.weight", "lm_head.weight"}) {
    const at::Tensor before = model->parameters().value(model->parameters().index(name));
    const at::Tensor after = grown->parameters().value(grown->parameters().index(name));
    EXPECT_TRUE(at::equal(after.narrow(0, 0, 101), before));
    const at::Tensor fresh = after.narrow(0, 101, 200);
    EXPECT_LT((fresh.mean(0) - before.mean(0)).abs().max().item<double>(), 0.01);
    EXPECT_NEAR(fresh.std(0).mean().item<double>() / before.std(0).mean().item<double>(), 0.02, 0.002);
  }
}

}  // namespace
}  // namespace genrec
