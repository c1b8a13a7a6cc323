#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>

#include "base/error.h"
#include "cf/lightgcn.h"
#include "cf/sasrec.h"
#include "eval/ranker_evaluator.h"
#include "mpi/mpi_main.h"
#include "unit/cf/small_dataset.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

constexpr std::int64_t kUsers = 40, kItems = 30;

/// This rank's part, and everybody's for the reference in a world of one. The last rank has nobody, where
/// there is more than one.
struct Parts {
  Communicator& world = test::runtime().world();
  std::vector<std::vector<ItemId>> histories = test::random_histories(kUsers, kItems, 9, 6);
  Dataset whole = test::dataset_of(histories, kItems);
  Dataset mine = part();
  std::unique_ptr<Communicator> alone = make_single_communicator();

 private:
  [[nodiscard]] Dataset part() const {
    const std::int64_t parts = std::max(1, world.size() - 1);
    return test::dataset_of(histories, kItems, world.rank() < parts ? world.rank() : -1, parts);
  }
};

TEST(DistributedSasRec, TrainsAsOneRank) {
  Parts parts;
  for (const SasRecLoss loss : {SasRecLoss::kCrossEntropy, SasRecLoss::kBinary}) {
    SasRecOptions options;
    options.layers = 1;
    options.width = 8;
    options.inner = 16;
    options.history = 6;
    options.dropout = 0.3;
    options.initial_std = 0.2;
    options.loss = loss;
    options.train = {.epochs = 3, .batch = 16, .lr = 1e-3};
    SasRec expected(kItems, options), model(kItems, options);
    const at::Tensor before = model.parameters().flat_values().clone();
    const CfTrainReport reference = expected.train(parts.whole, {}, *parts.alone);
    const CfTrainReport report = model.train(parts.mine, {}, parts.world);
    EXPECT_NEAR(report.loss, reference.loss, 1e-4);
    const at::Tensor values = model.parameters().flat_values();
    EXPECT_GT(test::difference(values, before), 1e-3) << "nothing was learned";
    EXPECT_LT(test::difference(values, expected.parameters().flat_values()), 1e-4);
  }
}

TEST(DistributedLightGcn, TrainsAsOneRank) {
  Parts parts;
  for (const LightGcnLoss loss : {LightGcnLoss::kBpr, LightGcnLoss::kSoftmax}) {
    LightGcnOptions options;
    options.width = 8;
    options.loss = loss;
    options.l2 = 1e-2;
    options.train = {.epochs = 3, .batch = 64, .lr = 0.01};
    LightGcn expected(parts.whole, options, *parts.alone), model(parts.mine, options, parts.world);
    EXPECT_LT(test::difference(model.item_embeddings(), expected.item_embeddings()), 1e-6);
    const at::Tensor before = model.item_embeddings();
    const CfTrainReport reference = expected.train({});
    const CfTrainReport report = model.train({});
    EXPECT_NEAR(report.loss, reference.loss, 1e-4);
    EXPECT_GT(test::difference(model.item_embeddings(), before), 1e-2) << "nothing was learned";
    EXPECT_LT(test::difference(model.item_embeddings(), expected.item_embeddings()), 1e-4);
    std::vector<RankerQuery> queries;
    for (const UserId user : parts.mine.interactions.users) queries.push_back({user, {}});
    if (queries.empty()) continue;
    EXPECT_LT(test::difference(model.scores(queries), expected.scores(queries)), 1e-4);
  }
}

/// The best of four validations is the second; two more without gain end the training.
CfTrainHooks best_at_second(int& validations) {
  CfTrainHooks hooks;
  hooks.validate = [&validations] { return ++validations == 2 ? 1.0 : 0.5; };
  return hooks;
}

LightGcnOptions small_lightgcn(std::int64_t epochs) {
  LightGcnOptions options;
  options.width = 8;
  options.loss = LightGcnLoss::kSoftmax;
  options.train = {.epochs = epochs, .batch = 64, .lr = 0.01, .eval_every = 1, .patience = 2};
  return options;
}

SasRecOptions small_sasrec(std::int64_t epochs) {
  SasRecOptions options;
  options.layers = 1;
  options.width = 8;
  options.inner = 16;
  options.history = 6;
  options.initial_std = 0.2;
  options.train = {.epochs = epochs, .batch = 8, .lr = 1e-2, .eval_every = 1, .patience = 2};
  return options;
}

TEST(DistributedCfTraining, RestoresTheBestOfValidationOnEveryRank) {
  Parts parts;
  int validations = 0;
  LightGcn graph_expected(parts.whole, small_lightgcn(2), *parts.alone);
  static_cast<void>(graph_expected.train({}));
  LightGcn graph(parts.mine, small_lightgcn(9), parts.world);
  const CfTrainReport graph_report = graph.train(best_at_second(validations));
  EXPECT_EQ(graph_report.epochs, 4);
  EXPECT_EQ(graph_report.best_epoch, 2);
  EXPECT_LT(test::difference(graph.item_embeddings(), graph_expected.item_embeddings()), 1e-4);

  validations = 0;
  SasRec expected(kItems, small_sasrec(2)), model(kItems, small_sasrec(9));
  static_cast<void>(expected.train(parts.whole, {}, *parts.alone));
  const CfTrainReport report = model.train(parts.mine, best_at_second(validations), parts.world);
  EXPECT_EQ(report.epochs, 4);
  EXPECT_EQ(report.best_epoch, 2);
  EXPECT_LT(test::difference(model.parameters().flat_values(), expected.parameters().flat_values()), 1e-3);
}

TEST(DistributedCfTraining, TheWishOfOneRankStopsAll) {
  Parts parts;
  Communicator& world = parts.world;
  for (int wishing = 0; wishing < world.size(); ++wishing) {
    SasRec model(kItems, small_sasrec(9));
    int asked = 0;
    CfTrainHooks hooks;
    // In the third step, whatever the epoch is then.
    hooks.should_stop = [&] { return ++asked == 3 && world.rank() == wishing; };
    const CfTrainReport report = model.train(parts.mine, hooks, world);
    EXPECT_TRUE(report.stopped) << "rank " << wishing << " wishes";
    EXPECT_EQ(asked, 3);
    EXPECT_EQ(report.epochs, 0);
    EXPECT_EQ(report.steps_after, 2);
    EXPECT_EQ(origin_of_parameters(report), "epoch 0 and 2 steps of the next");
    const at::Tensor values = model.parameters().flat_values().contiguous();
    const auto* bytes = static_cast<const char*>(values.const_data_ptr());
    world.require_equal(std::string(bytes, bytes + values.nbytes()), "parameters");
  }
}

TEST(DistributedCfTraining, ParametersOfOneRankThatAreNotFiniteFailAllRanks) {
  Communicator& world = test::runtime().world();
  ParameterStore store(at::kCPU, Precision::kFloat32);
  store.add("w", {2}, false);
  store.allocate();
  CfTask task;
  task.name = "spoilt";
  task.steps_per_epoch = 1;
  task.stores = {&store};
  task.gradients = [&](std::int64_t, std::int64_t) {
    const bool last = world.rank() == world.size() - 1;
    store.gradient(0).fill_(last ? std::numeric_limits<float>::infinity() : 1.0F);
    return BatchLoss{.sum = 1, .terms = 1};
  };
  EXPECT_THROW(train_collaborative(task, {.epochs = 1}, {}, world), DataError);
}

/// Scores by a hash of user and item: nothing to round.
class HashRanker : public ItemRanker {
 public:
  [[nodiscard]] std::int64_t items() const override { return kItems; }
  [[nodiscard]] at::Tensor scores(std::span<const RankerQuery> queries) const override {
    at::Tensor scores = at::empty({static_cast<std::int64_t>(queries.size()), kItems}, at::kFloat);
    auto* out = scores.data_ptr<float>();
    for (const RankerQuery& query : queries) {
      for (std::int64_t item = 0; item < kItems; ++item) {
        *out++ = static_cast<float>(mix64(static_cast<std::uint64_t>(query.user * 1000 + item)) % 97);
      }
    }
    return scores;
  }
};

TEST(DistributedRankerEvaluation, IsThatOfOneRank) {
  Parts parts;
  for (const bool exclude : {false, true}) {
    for (const std::int64_t users : {0, 7}) {
      RankerEvaluatorOptions options;
      options.users = users;
      options.batch = 3;
      options.exclude_history = exclude;
      const HashRanker ranker;
      EXPECT_EQ(evaluate_ranker(ranker, parts.mine, Split::kTest, options, parts.world),
                evaluate_ranker(ranker, parts.whole, Split::kTest, options, *parts.alone));
    }
  }
}

}  // namespace
}  // namespace genrec
