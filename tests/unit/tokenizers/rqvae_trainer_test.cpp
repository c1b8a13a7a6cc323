#include "tokenizers/rqvae/rqvae_trainer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "comm/communicator.h"
#include "support.h"
#include "tokenizers/rqvae/codebook_start.h"
#include "tokenizers/rqvae/item_codes.h"
#include "tokenizers/rqvae/rqvae_tokenizer.h"
#include "unit/tokenizers/planted.h"

namespace genrec {
namespace {

using test::planted_embeddings;
using test::planted_options;

Dataset dataset_of(std::int64_t items) {
  Dataset dataset;
  dataset.name = "planted";
  dataset.catalogue.titles.resize(static_cast<std::size_t>(items));
  dataset.catalogue.descriptions.resize(static_cast<std::size_t>(items));
  return dataset;
}

/// A trainer with its model, in a world of one.
struct Training {
  std::unique_ptr<Communicator> world = make_single_communicator();
  RqvaeModel model;
  RqvaeTrainer trainer;

  Training(const Embeddings& embeddings, const Embeddings* cf, const RqvaeOptions& options)
      : model(embeddings.width, options, at::kCPU, Precision::kFloat32),
        trainer(model, embeddings, cf, options, *world) {}
};

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

TEST(RqvaeScore, FewerCollisionsThenLowerLoss) {
  const RqvaeScore none, a{1, 0.1, 5}, b{2, 0.1, 4}, c{3, 0.05, 9};
  EXPECT_TRUE(a.is_better_than(none));
  EXPECT_TRUE(b.is_better_than(a));
  EXPECT_FALSE(a.is_better_than(b));
  EXPECT_TRUE(c.is_better_than(b));
  EXPECT_FALSE(a.is_better_than(a));
}

TEST(RqvaeState, OfOtherWidthsOrEmbeddingsIsAnError) {
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  RqvaeOptions options = planted_options();
  options.epochs = 1;
  Training t(embeddings, nullptr, options);
  ASSERT_TRUE(t.trainer.run());
  const RqvaeState state = t.trainer.state();
  RqvaeOptions other = options;
  other.codes = 8;
  EXPECT_THROW((void)restored_model(state, embeddings.width, other), DataError);
  EXPECT_THROW((void)restored_model(state, embeddings.width + 1, options), DataError);
  const auto model = restored_model(state, embeddings.width, options);
  EXPECT_TRUE(at::equal(model->quantizer().codebooks(), t.model.quantizer().codebooks()));
  Training of_others(planted_embeddings(60, 6, 99), nullptr, options);
  EXPECT_THROW(of_others.trainer.restore(state), DataError);
}

TEST(RqvaeState, OfOtherCollaborativeVectorsIsAnError) {
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  const Embeddings cf = planted_embeddings(60, 6, 2, 4), other_cf = planted_embeddings(60, 6, 3, 4);
  RqvaeOptions options = options_of_method("letter", planted_options());
  options.letter = {.alpha = 0.1, .beta = 0.01, .clusters = 4};
  options.epochs = 1;
  Training t(embeddings, &cf, options);
  ASSERT_TRUE(t.trainer.run());
  const RqvaeState state = t.trainer.state();
  EXPECT_EQ(state.cf_sha256, cf.provenance.sha256);
  Training same(embeddings, &cf, options), other(embeddings, &other_cf, options);
  EXPECT_NO_THROW(same.trainer.restore(state));
  EXPECT_THROW(other.trainer.restore(state), DataError);
  options.letter.alpha = 0;
  Training without(embeddings, nullptr, options);
  EXPECT_THROW(without.trainer.restore(state), DataError);
}

TEST(RqvaeState, CodebooksLieInTheFileByLevel) {
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  RqvaeOptions options = planted_options();
  options.epochs = 1;
  Training t(embeddings, nullptr, options);
  ASSERT_TRUE(t.trainer.run());
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "tokenizer.h5";
  {
    Hdf5Writer file(path);
    write_rqvae(file, "/tokenizer", t.trainer.state(), /*training=*/false);
    file.commit();
  }
  const Hdf5Reader file(path);
  EXPECT_EQ(file.shape("/tokenizer/codebooks/2"), (std::vector<std::int64_t>{16, 4}));
  EXPECT_FALSE(file.has("/tokenizer/training"));
  EXPECT_EQ(file.text_attribute("/tokenizer", "cf_sha256"), "");
  const auto model = restored_model(read_rqvae(file, "/tokenizer"), embeddings.width, options);
  EXPECT_TRUE(at::equal(model->parameters().flat_values(), t.model.parameters().flat_values()));
}

TEST(CodebookStart, BoundsAreLetters) {
  EXPECT_EQ(start_bounds(9922, 256), (StartBounds{19, 76}));    // Instruments
  EXPECT_EQ(start_bounds(12101, 256), (StartBounds{23, 92}));   // Beauty
  EXPECT_EQ(start_bounds(20033, 256), (StartBounds{39, 156}));  // Yelp
  for (const std::int64_t rows : {512, 1000, 30000, 100000, 1000000}) {
    const StartBounds bounds = start_bounds(rows, 256);
    EXPECT_LE(bounds.size_min * 256, rows);
    EXPECT_GE(bounds.size_max * 256, rows);
  }
}

TEST(CodebookStart, PlainAndConstrainedCentresFitTheirResiduals) {
  const at::Tensor points = test::planted_points(96, 8, 4, 1);
  RqvaeOptions options = planted_options();
  options.codes = 8;
  options.levels = 2;
  for (const char* init : {"kmeans", "constrained-kmeans"}) {
    options.init = init;
    const CodebookStart start = start_codebooks(points, options);
    ASSERT_EQ(start.codebooks.sizes(), (std::vector<std::int64_t>{2, 8, 4}));
    EXPECT_TRUE(start.notes.empty());
    const at::Tensor first = start.codebooks[0], second = start.codebooks[1];
    const at::Tensor rest = points - at::embedding(first, nearest_codes(points, first));
    const at::Tensor last = rest - at::embedding(second, nearest_codes(rest, second));
    EXPECT_LT(rest.square().sum().item<double>(), 0.2 * points.square().sum().item<double>()) << init;
    EXPECT_LT(last.square().sum().item<double>(), rest.square().sum().item<double>()) << init;
  }
}

TEST(CodebookStart, TakesFewerRowsOfManyCodes) {
  EXPECT_EQ(most_constrained_rows(256), 25'600);
  for (const std::int64_t codes : {1024, 2048, 8192}) {
    EXPECT_GE(most_constrained_rows(codes), 8 * codes);
    EXPECT_LE(most_constrained_rows(codes) * codes, 8 * 8192 * 8192) << "costs of one run";
  }
}

TEST(CodebookStart, FewerItemsThanCodesIsStated) {
  RqvaeOptions options = planted_options();
  const at::Tensor points = test::planted_points(5, 5, 4, 1);
  const CodebookStart start = start_codebooks(points, options);
  ASSERT_EQ(start.codebooks.sizes(), (std::vector<std::int64_t>{3, 16, 4}));
  EXPECT_THAT(start.notes, ::testing::ElementsAre(::testing::HasSubstr("only 5 distinct items")));
  EXPECT_TRUE(at::equal(start.codebooks[0].narrow(0, 0, 5), points));
  EXPECT_TRUE(start.codebooks.isfinite().all().item<bool>());
}

TEST(CodebookStart, NoTwoCodesOfALevelAreEqual) {
  RqvaeOptions options = planted_options();
  const at::Tensor five = test::planted_points(5, 5, 4, 1);
  const at::Tensor twenty = test::planted_points(20, 5, 4, 1);
  // Fewer rows than codes; rows that repeat; one row; zeros; so few that most are codes themselves.
  for (const at::Tensor& points :
       {five, five.repeat({8, 1}), five.narrow(0, 0, 1), at::zeros({40, 4}), twenty}) {
    for (const char* init : {"kmeans", "constrained-kmeans"}) {
      options.init = init;
      const at::Tensor books = start_codebooks(points, options).codebooks;
      ASSERT_TRUE(books.isfinite().all().item<bool>());
      for (std::int64_t level = 0; level < options.levels; ++level) {
        const at::Tensor distinct = std::get<0>(at::unique_dim(books[level], 0));
        EXPECT_EQ(distinct.size(0), options.codes) << init << ", " << points.sizes() << ", level " << level;
      }
    }
  }
  // Later levels are finer.
  const at::Tensor books = start_codebooks(five, options).codebooks;
  EXPECT_LT(books[2].norm().item<double>(), books[1].norm().item<double>());
}

/// Warnings of the log while it lives.
class Warnings : public google::LogSink {
 public:
  Warnings() { google::AddLogSink(this); }
  ~Warnings() override { google::RemoveLogSink(this); }
  void send(google::LogSeverity severity, const char*, const char*, int, const struct ::tm*,
            const char* message, std::size_t length) override {
    if (severity == google::GLOG_WARNING) text.append(message, length).append("\n");
  }
  std::string text;
};

TEST(RqvaeTokenizer, FewItemsAreDistinctAndDeadCodesAreTold) {
  const auto world = make_single_communicator();
  RqvaeOptions options = planted_options();
  options.epochs = 3;
  for (const double share : {0.5, 0.0}) {
    options.warn_used_share = share;
    RqvaeTokenizer tokenizer(options, planted_embeddings(5, 5, 1), std::nullopt);
    const Warnings warnings;
    EXPECT_EQ(tokenizer.fit(dataset_of(5), *world).distinct(), 5);
    EXPECT_THAT(warnings.text, ::testing::HasSubstr("only 5 distinct items for codebooks of 16 codes"));
    const auto dead = ::testing::HasSubstr("of 16 codes; the others are dead");
    if (share > 0) {
      EXPECT_THAT(warnings.text, dead);
    } else {
      EXPECT_THAT(warnings.text, ::testing::Not(dead));
    }
  }
}

TEST(RqvaeTokenizer, IsFittedOnce) {
  const auto world = make_single_communicator();
  RqvaeOptions options = planted_options();
  options.epochs = 1;
  RqvaeTokenizer tokenizer(options, planted_embeddings(60, 6, 1), std::nullopt);
  (void)tokenizer.fit(dataset_of(60), *world);
  EXPECT_THROW((void)tokenizer.fit(dataset_of(60), *world), Error);  // its embeddings are freed
}

TEST(RqvaeTokenizer, GivesPlantedItemsDistinctIdentifiers) {
  const auto world = make_single_communicator();
  RqvaeOptions options = options_of_method("tiger", planted_options());
  options.codes = 32;
  RqvaeTokenizer tokenizer(options, planted_embeddings(120, 12, 1), std::nullopt);
  const IdentifierTable table = tokenizer.fit(dataset_of(120), *world);
  EXPECT_EQ(table.items(), 120);
  EXPECT_EQ(table.distinct(), 120);
  EXPECT_EQ(table.max_length(), 3);
  EXPECT_EQ(tokenizer.report().collision_rate, 0);
  // Items of a planted cluster (i mod 12) share their first code more often than others do.
  int near = 0, near_pairs = 0, far = 0, far_pairs = 0;
  for (ItemId i = 0; i < 120; ++i) {
    for (ItemId j = 0; j < i; ++j) {
      const bool same = table.of(i)[0] == table.of(j)[0];
      (i % 12 == j % 12 ? near : far) += same ? 1 : 0;
      (i % 12 == j % 12 ? near_pairs : far_pairs) += 1;
    }
  }
  EXPECT_GT(near * far_pairs, 5 * far * near_pairs);

  const Embeddings fresh = planted_embeddings(10, 10, 5);
  const IdentifierTable grown = tokenizer.new_items(table, fresh);
  ASSERT_EQ(grown.items(), 130);
  EXPECT_EQ(grown.distinct(), 130);
  for (ItemId item = 0; item < 120; ++item) EXPECT_EQ(grown.strings_of(item), table.strings_of(item));
}

TEST(RqvaeTokenizer, EqualEmbeddingsShareAnIdentifierUnlessThereIsADigit) {
  Embeddings embeddings = planted_embeddings(60, 6, 1);
  for (const std::int64_t copy : {20, 40, 59}) {
    const std::vector<float> row(embeddings.row(7).begin(), embeddings.row(7).end());
    std::copy(row.begin(), row.end(), embeddings.values.begin() + copy * embeddings.width);
  }
  const auto world = make_single_communicator();
  RqvaeOptions options = planted_options();
  options.codes = 32;
  options.epochs = 10;
  RqvaeTokenizer sinkhorn(options, embeddings, std::nullopt);
  const IdentifierTable shared = sinkhorn.fit(dataset_of(60), *world);
  EXPECT_EQ(sinkhorn.report().embeddings.repeating_rows, 3);
  for (const ItemId copy : {20, 40, 59}) EXPECT_EQ(shared.strings_of(copy), shared.strings_of(7));
  EXPECT_EQ(sinkhorn.report().reassignment.inseparable_items, 4);
  EXPECT_DOUBLE_EQ(sinkhorn.report().collision_rate, 3.0 / 60);
  EXPECT_EQ(sinkhorn.report().collision_rate_of_distinct, 0);

  options.collision = "digit";
  const IdentifierTable numbered =
      RqvaeTokenizer(options, embeddings, std::nullopt).fit(dataset_of(60), *world);
  EXPECT_EQ(numbered.distinct(), 60);
  EXPECT_EQ(numbered.max_length(), 4);
  EXPECT_THAT(numbered.strings_of(7).back(), ::testing::StartsWith("<d_"));
}

TEST(RqvaeTokenizer, BadInputIsAnErrorOfOneLine) {
  const auto world = make_single_communicator();
  const auto fails_with = [&](const RqvaeOptions& options, const Embeddings& embeddings,
                              std::optional<Embeddings> cf, const std::string& text) {
    try {
      (void)RqvaeTokenizer(options, embeddings, std::move(cf)).fit(dataset_of(60), *world);
      ADD_FAILURE() << "expected an error with \"" << text << "\"";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(text));
      EXPECT_THAT(error.what(), ::testing::Not(::testing::HasSubstr("\n")));
    }
  };
  RqvaeOptions letter = options_of_method("letter", planted_options());
  letter.letter = {.alpha = 0.1, .beta = 0.01, .clusters = 4};
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  fails_with(planted_options(), planted_embeddings(61, 6, 1), std::nullopt, "embeddings of 61 items");
  fails_with(letter, embeddings, std::nullopt, "no collaborative vectors");
  fails_with(letter, embeddings, planted_embeddings(60, 6, 1, 5), "width 5");
  fails_with(letter, embeddings, planted_embeddings(59, 6, 1, 4), "59 items");
  Embeddings broken = embeddings;
  broken.values[77] = std::numeric_limits<float>::infinity();
  fails_with(planted_options(), broken, std::nullopt, "item embeddings");
  RqvaeOptions odd = planted_options();
  odd.collision = "maybe";
  fails_with(odd, embeddings, std::nullopt, "tokenizer.collision");
}

TEST(RqvaeTokenizer, StopsWithAStateAndGoesOn) {
  const auto world = make_single_communicator();
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  RqvaeOptions options = planted_options();
  options.epochs = 6;
  const std::string expected =
      RqvaeTokenizer(options, embeddings, std::nullopt).fit(dataset_of(60), *world).sha256();
  RqvaeTokenizer stopped(options, embeddings, std::nullopt), resumed(options, embeddings, std::nullopt);
  RqvaeHooks hooks;
  std::optional<RqvaeState> saved;
  hooks.stop = [] { return true; };
  hooks.save = [&](const RqvaeState& state) { saved = state; };
  stopped.set_hooks(hooks);
  EXPECT_THROW((void)stopped.fit(dataset_of(60), *world), StoppedEarly);
  ASSERT_TRUE(saved.has_value());
  EXPECT_EQ(saved->epoch, 1);
  resumed.resume_from(*saved);
  EXPECT_EQ(resumed.fit(dataset_of(60), *world).sha256(), expected);
}

}  // namespace
}  // namespace genrec
