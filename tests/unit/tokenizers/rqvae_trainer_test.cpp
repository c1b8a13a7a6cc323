#include "tokenizers/rqvae/rqvae_trainer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "support.h"
#include "unit/tokenizers/planted.h"
#include "unit/tokenizers/rqvae_training.h"

namespace genrec {
namespace {

using test::planted_embeddings;
using test::planted_options;
using Training = test::RqvaeTraining;

TEST(RqvaeTrainer, LossFallsOnPlantedClusters) {
  const Embeddings embeddings = planted_embeddings(120, 12, 1);
  Training t(embeddings, nullptr, planted_options());
  std::vector<RqvaeEpoch> epochs;
  RqvaeHooks hooks;
  hooks.on_epoch = [&](const RqvaeEpoch& epoch) { epochs.push_back(epoch); };
  ASSERT_TRUE(t.trainer.run(hooks));
  ASSERT_EQ(epochs.size(), 30U);
  EXPECT_EQ(epochs.front().steps, 4);
  EXPECT_EQ(epochs.back().epoch, 30);
  EXPECT_LT(epochs.back().losses.reconstruction, 0.5 * epochs.front().losses.reconstruction);
  EXPECT_LT(epochs.back().losses.total, 0.7 * epochs.front().losses.total);
  const RqvaeMeasurement measured = t.trainer.measure();
  ASSERT_EQ(measured.residual_norm.size(), 3U);
  const at::Tensor rows = at::tensor(at::ArrayRef<float>(embeddings.values)).view({120, embeddings.width});
  const at::Tensor z = t.model.latent(rows), codes = t.trainer.encode_items().codes;
  at::Tensor left = z;
  for (std::int64_t level = 0; level < 3; ++level) {
    left = left - t.model.quantizer().codebooks().select(0, level).index_select(0, codes.select(1, level));
    const double norm = (left.norm() / z.norm()).item<double>();
    EXPECT_NEAR(measured.residual_norm[static_cast<std::size_t>(level)], norm, 1e-4 * norm) << level;
  }
  EXPECT_LT(measured.residual_norm[1], measured.residual_norm[0]);
  EXPECT_LT(measured.residual_norm[0], 1);
  EXPECT_LT(measured.collision_rate, 0.35);  // 0.5 after ten epochs
}

TEST(RqvaeTrainer, EveryLossOfLetterIsReportedAndCounts) {
  const Embeddings embeddings = planted_embeddings(120, 12, 1);
  Embeddings cf = planted_embeddings(120, 6, 2, 4);
  for (float& value : cf.values) value *= 0.5F;
  RqvaeOptions options = options_of_method("letter", planted_options());
  options.letter = {.alpha = 0.5, .beta = 0.1, .clusters = 4};
  Training t(embeddings, &cf, options);
  std::vector<RqvaeLosses> losses;
  RqvaeHooks hooks;
  hooks.on_epoch = [&](const RqvaeEpoch& epoch) { losses.push_back(epoch.losses); };
  ASSERT_TRUE(t.trainer.run(hooks));
  const RqvaeLosses& first = losses.front();
  // Untrained, the collaborative loss is near that of a guess.
  EXPECT_NEAR(first.collaborative, std::log(32.0), 1.5);
  EXPECT_NEAR(first.diversity, std::log(15.0), 2.0);
  EXPECT_NEAR(first.total,
              first.reconstruction + first.quantization + 0.5 * first.collaborative + 0.1 * first.diversity,
              1e-9);
  EXPECT_LT(losses.back().collaborative, first.collaborative - 0.2);
}

TEST(RqvaeTrainer, OneRankIsDeterministic) {
  const Embeddings embeddings = planted_embeddings(90, 9, 1), cf = planted_embeddings(90, 6, 2, 4);
  RqvaeOptions options = options_of_method("letter", planted_options());
  options.letter = {.alpha = 0.1, .beta = 0.01, .clusters = 4};
  options.epochs = 4;
  options.dropout = 0.1;
  Training a(embeddings, &cf, options), b(embeddings, &cf, options);
  ASSERT_TRUE(a.trainer.run() && b.trainer.run());
  EXPECT_TRUE(at::equal(a.model.parameters().flat_values(), b.model.parameters().flat_values()));
  EXPECT_TRUE(at::equal(a.trainer.encode_items().codes, b.trainer.encode_items().codes));
}

TEST(RqvaeTrainer, SaysWhatItCutsDown) {
  RqvaeOptions options = options_of_method("letter", planted_options());
  options.letter = {.alpha = 0, .beta = 0.1, .clusters = 10};
  options.init = "kmeans";
  options.batch = 8;
  options.epochs = 1;
  Training t(planted_embeddings(120, 12, 1), nullptr, options);
  ASSERT_TRUE(t.trainer.run());
  EXPECT_THAT(t.trainer.notes(), ::testing::UnorderedElementsAre(::testing::HasSubstr("batch of 8 is less"),
                                                                 ::testing::HasSubstr("8 clusters of")));
}

TEST(RqvaeTrainer, GoesOnFromAStateToTheBit) {
  const Embeddings embeddings = planted_embeddings(90, 9, 1), cf = planted_embeddings(90, 6, 2, 4);
  RqvaeOptions options = options_of_method("letter", planted_options());
  options.letter = {.alpha = 0.1, .beta = 0.01, .clusters = 4, .recluster_every = 3};
  options.epochs = 7;
  options.eval_every = 2;
  options.restart_every = 2;
  Training straight(embeddings, &cf, options), first(embeddings, &cf, options),
      second(embeddings, &cf, options);
  ASSERT_TRUE(straight.trainer.run());

  const test::TemporaryFolder folder;
  const auto path = folder.path() / "state.h5";
  RqvaeHooks hooks;
  int epochs = 0;
  hooks.on_epoch = [&](const RqvaeEpoch&) { ++epochs; };
  hooks.stop = [&] { return epochs == 4; };  // between two clusterings
  hooks.save = [&](const RqvaeState& state) {
    Hdf5Writer file(path);
    write_rqvae(file, "/tokenizer", state, /*training=*/true);
    file.commit();
  };
  ASSERT_FALSE(first.trainer.run(hooks));
  ASSERT_EQ(epochs, 4);
  second.trainer.restore(read_rqvae(Hdf5Reader(path), "/tokenizer"));
  EXPECT_GT(second.trainer.measure().losses.total, 0);
  EXPECT_EQ(second.trainer.measure().losses.total, first.trainer.measure().losses.total);
  ASSERT_TRUE(second.trainer.run());
  EXPECT_TRUE(at::equal(second.model.parameters().flat_values(), straight.model.parameters().flat_values()));
  EXPECT_EQ(second.trainer.best_score().epoch, straight.trainer.best_score().epoch);
  EXPECT_EQ(second.trainer.state().steps, straight.trainer.state().steps);
}

bool same_bytes(const ParameterArrays& a, const ParameterArrays& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.bytes == y.second.bytes;
  });
}

TEST(RqvaeTrainer, StopsWithinALongEpoch) {
  const Embeddings embeddings = planted_embeddings(300, 9, 1), cf = planted_embeddings(300, 6, 2, 4);
  RqvaeOptions options = options_of_method("letter", planted_options());
  options.letter = {.alpha = 0.1, .beta = 0.01, .clusters = 4, .recluster_every = 1};
  options.batch = 4;  // 75 steps an epoch
  options.epochs = 3;
  options.restart_every = 1;
  options.dropout = 0.1;
  Training straight(embeddings, &cf, options), first(embeddings, &cf, options),
      second(embeddings, &cf, options);
  std::vector<double> expected, losses;
  RqvaeHooks record, hooks;
  record.on_epoch = [&](const RqvaeEpoch& epoch) { expected.push_back(epoch.losses.total); };
  ASSERT_TRUE(straight.trainer.run(record));
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "state.h5";
  int asked = 0;
  hooks.stop = [&] { return ++asked == 3; };  // within the second epoch
  hooks.save = [&](const RqvaeState& state) {
    EXPECT_EQ(state.epoch, 1);
    EXPECT_EQ(state.steps_of_epoch, 64);
    Hdf5Writer file(path);
    write_rqvae(file, "/tokenizer", state, /*training=*/true);
    file.commit();
  };
  ASSERT_FALSE(first.trainer.run(hooks));
  second.trainer.restore(read_rqvae(Hdf5Reader(path), "/tokenizer"));
  record.on_epoch = [&](const RqvaeEpoch& epoch) { losses.push_back(epoch.losses.total); };
  ASSERT_TRUE(second.trainer.run(record));
  EXPECT_EQ(losses, std::vector<double>(expected.begin() + 1, expected.end()));
  EXPECT_TRUE(at::equal(second.model.parameters().flat_values(), straight.model.parameters().flat_values()));
}

TEST(RqvaeTrainer, AFinishedTrainingGoesOnWithItsLastWeights) {
  const Embeddings embeddings = planted_embeddings(90, 9, 1);
  RqvaeOptions longer = planted_options();
  longer.epochs = 7;
  for (const std::int64_t eval_every : {0, 2, 3}) {
    longer.eval_every = eval_every;
    RqvaeOptions shorter = longer;
    shorter.epochs = 4;
    Training straight(embeddings, nullptr, longer), first(embeddings, nullptr, shorter),
        second(embeddings, nullptr, longer);
    ASSERT_TRUE(straight.trainer.run() && first.trainer.run());
    const RqvaeState done = first.trainer.state();
    if (eval_every == 3) {
      // The measurement at the end, out of turn, is no candidate beside that of epoch 3.
      EXPECT_EQ(done.best_score.epoch, 3);
      EXPECT_FALSE(same_bytes(done.best, done.values));
    }
    ASSERT_TRUE(first.trainer.run());  // has nothing to do
    EXPECT_TRUE(same_bytes(first.trainer.state().values, done.values));
    second.trainer.restore(done);
    ASSERT_TRUE(second.trainer.run());
    const RqvaeState ended = second.trainer.state(), expected = straight.trainer.state();
    EXPECT_TRUE(same_bytes(ended.values, expected.values)) << "eval_every " << eval_every;
    EXPECT_TRUE(same_bytes(ended.exp_avg, expected.exp_avg));
    EXPECT_TRUE(same_bytes(ended.best, expected.best)) << "eval_every " << eval_every;
    EXPECT_EQ(ended.best_score.epoch, expected.best_score.epoch);
    EXPECT_TRUE(
        at::equal(second.model.parameters().flat_values(), straight.model.parameters().flat_values()));
  }
}

TEST(RqvaeTrainer, KeepsTheMeasuredWeightsOfFewestCollisions) {
  const Embeddings embeddings = planted_embeddings(120, 12, 1);
  RqvaeOptions options = planted_options();
  options.eval_every = 1;
  options.epochs = 12;
  Training t(embeddings, nullptr, options);
  std::vector<double> rates;
  RqvaeHooks hooks;
  hooks.on_measurement = [&](const RqvaeMeasurement& m) { rates.push_back(m.collision_rate); };
  ASSERT_TRUE(t.trainer.run(hooks));
  ASSERT_EQ(rates.size(), 12U);
  const double best = *std::min_element(rates.begin(), rates.end());
  EXPECT_EQ(t.trainer.best_score().collision_rate, best);
  EXPECT_EQ(t.trainer.measure().collision_rate, best);
}

TEST(RqvaeTrainer, TakesTheLastWeightsUnlessToldOtherwise) {
  const Embeddings embeddings = planted_embeddings(120, 12, 1);
  RqvaeOptions options = planted_options();
  options.keep_best = RqvaeOptions().keep_best;
  options.eval_every = 2;
  options.epochs = 5;
  Training t(embeddings, nullptr, options);
  std::int64_t measurements = 0;
  RqvaeHooks hooks;
  hooks.on_measurement = [&](const RqvaeMeasurement&) { ++measurements; };
  ASSERT_TRUE(t.trainer.run(hooks));
  EXPECT_EQ(measurements, 3);
  EXPECT_EQ(t.trainer.best_score().epoch, 5);
  EXPECT_EQ(t.trainer.best_score().collision_rate, t.trainer.measure().collision_rate);
}

TEST(RqvaeTrainer, ALossThatIsNoNumberIsAnError) {
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  RqvaeOptions options = planted_options();
  options.lr = 1e30;
  options.sinkhorn_epsilon = 0;
  options.collision = "none";
  Training t(embeddings, nullptr, options);
  EXPECT_THROW((void)t.trainer.run(), DataError);
}

}  // namespace
}  // namespace genrec
