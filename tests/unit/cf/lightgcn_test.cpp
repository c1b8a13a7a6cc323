#include "cf/lightgcn.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "unit/cf/small_dataset.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

constexpr std::int64_t kNodeItems = 7;

/// Training parts: 0 1 2; 2 3; 3; none. Items 4 to 6 are in no training part, user 3 has no edge.
const std::vector<std::vector<ItemId>> kHistories = {{0, 1, 2, 5, 6}, {2, 3, 0, 1}, {3, 5, 4}, {6, 5}};
const std::vector<std::vector<ItemId>> kTraining = {{0, 1, 2}, {2, 3}, {3}, {}};
const std::vector<std::vector<ItemId>> kBeforeTest = {{0, 1, 2, 5}, {2, 3, 0}, {3, 5}, {6}};

/// mean over l of A^l with the dense, normalised adjacency matrix, [users + items, users + items] float64.
at::Tensor dense_propagation(std::int64_t layers, const std::vector<std::vector<ItemId>>& seen = kTraining) {
  const auto users = static_cast<std::int64_t>(seen.size()), nodes = users + kNodeItems;
  at::Tensor edges = at::zeros({nodes, nodes}, at::kDouble);
  for (std::int64_t u = 0; u < users; ++u) {
    for (const ItemId item : seen[static_cast<std::size_t>(u)]) {
      edges[u][users + item].fill_(1);
      edges[users + item][u].fill_(1);
    }
  }
  const at::Tensor scale = edges.sum(1).clamp_min(1).rsqrt();
  const at::Tensor a = scale.unsqueeze(1) * edges * scale;
  at::Tensor power = at::eye(nodes, at::kDouble), sum = power.clone();
  for (std::int64_t l = 0; l < layers; ++l) {
    power = at::mm(a, power);
    sum += power;
  }
  return sum / static_cast<double>(layers + 1);
}

LightGcnOptions small_graph() {
  LightGcnOptions options;
  options.layers = 3;
  options.width = 4;
  options.initial_std = 0.5;
  options.l2 = 0.3;
  return options;
}

/// Users 0, 1 and 2, user 0 twice, with one item twice as a positive.
InteractionBatch small_interactions() {
  InteractionBatch batch;
  batch.rows = {0, 1, 0, 2};
  batch.positives = {2, 2, 0, 3};
  batch.negatives = {4, 5, 3, 6};
  return batch;
}

TEST(InteractionGraph, PropagatesAsTheDenseMatrix) {
  const Dataset dataset = test::dataset_of(kHistories, kNodeItems);
  const auto world = make_single_communicator();
  const InteractionGraph graph(dataset, *world), longer(dataset, *world, /*held_out=*/1);
  EXPECT_THAT(graph.item_degrees(), ::testing::ElementsAre(1, 1, 2, 2, 0, 0, 0));
  EXPECT_THAT(longer.item_degrees(), ::testing::ElementsAre(2, 1, 2, 2, 0, 2, 1));
  const NodeVectors x{test::normal({4, 5}, 1), test::normal({kNodeItems, 5}, 2)};
  for (const std::int64_t layers : {0, 1, 3}) {
    const at::Tensor expected =
        at::mm(dense_propagation(layers), at::cat({x.users, x.items}).to(at::kDouble));
    const NodeVectors y = graph.propagate(x, layers, *world);
    EXPECT_LT(test::difference(at::cat({y.users, y.items}), expected), 1e-6) << layers << " layers";
    const at::Tensor before_test =
        at::mm(dense_propagation(layers, kBeforeTest), at::cat({x.users, x.items}).to(at::kDouble));
    const NodeVectors z = longer.propagate(x, layers, *world);
    EXPECT_LT(test::difference(at::cat({z.users, z.items}), before_test), 1e-6) << layers << " layers";
  }
}

TEST(InteractionGraph, AnItemThatComesAgainIsOneEdge) {
  const Dataset dataset = test::dataset_of({{0, 1, 0, 2, 2}}, 3);
  const auto world = make_single_communicator();
  const InteractionGraph graph(dataset, *world);
  EXPECT_THAT(graph.item_degrees(), ::testing::ElementsAre(1, 1, 0));
  const NodeVectors y = graph.propagate({at::ones({1, 1}), at::zeros({3, 1})}, 1, *world);
  // Half of A x: 1 / sqrt(2 * 1) from the user to each of its two items.
  EXPECT_NEAR(y.items[0].item<float>(), 0.5 / std::sqrt(2.0), 1e-6);
}

/// The loss of the small batch by its definition, a function of the ego embeddings in float64.
at::Tensor dense_loss(const at::Tensor& ego, const LightGcnOptions& options) {
  const InteractionBatch batch = small_interactions();
  const std::int64_t users = 4;
  const at::Tensor last = at::mm(dense_propagation(options.layers), ego);
  at::Tensor loss = at::zeros({}, at::kDouble);
  const auto score = [&](std::int64_t user, std::int64_t item) {
    return (last[user] * last[users + item]).sum();
  };
  for (std::size_t s = 0; s < batch.rows.size(); ++s) {
    const std::int64_t user = batch.rows[s];
    const ItemId positive = batch.positives[s], negative = batch.negatives[s];
    at::Tensor squares = ego[user].square().sum() + ego[users + positive].square().sum();
    if (options.loss == LightGcnLoss::kBpr) {
      loss = loss - at::sigmoid(score(user, positive) - score(user, negative)).log();
      squares = squares + ego[users + negative].square().sum();
    } else {
      at::Tensor all = at::zeros({}, at::kDouble);
      for (std::int64_t item = 0; item < kNodeItems; ++item)
        all = all + (score(user, item) / options.tau).exp();
      loss = loss - score(user, positive) / options.tau + all.log();
    }
    loss = loss + options.l2 / 2 * squares;
  }
  return loss;
}

TEST(LightGcn, GradientsOfAllLossesEqualTheDenseFormula) {
  const Dataset dataset = test::dataset_of(kHistories, kNodeItems);
  const auto world = make_single_communicator();
  LightGcnOptions bpr = small_graph(), softmax = small_graph();
  softmax.loss = LightGcnLoss::kSoftmax;
  LightGcnOptions cool = softmax;
  cool.tau = 0.3;
  LightGcnOptions free = cool;
  free.l2 = 0;
  for (const LightGcnOptions& options : {bpr, softmax, cool, free}) {
    LightGcn model(dataset, options, *world);
    at::Tensor ego =
        at::cat({model.user_parameters().value(0), model.item_parameters().value(0)}).to(at::kDouble);
    ego.set_requires_grad(true);
    const at::Tensor expected = dense_loss(ego, options);
    expected.backward();
    InteractionBatch batch = small_interactions();
    if (options.loss == LightGcnLoss::kSoftmax) batch.negatives.clear();
    const BatchLoss loss = model.compute_gradients(batch);
    EXPECT_EQ(loss.terms, 4);
    EXPECT_NEAR(loss.sum, expected.item<double>(), 1e-4);
    const at::Tensor gradient =
        at::cat({model.user_parameters().gradient(0), model.item_parameters().gradient(0)});
    EXPECT_GT(gradient.abs().max().item<float>(), 0.05F);
    EXPECT_LT(test::difference(gradient, ego.grad()), 5e-5);
    // Gradients are set, not added to.
    static_cast<void>(model.compute_gradients(batch));
    EXPECT_LT(test::difference(model.item_parameters().gradient(0), ego.grad().narrow(0, 4, kNodeItems)),
              5e-5);
  }
}

TEST(LightGcn, ScoresAreProductsOfFinalEmbeddings) {
  const Dataset dataset = test::dataset_of(kHistories, kNodeItems);
  const auto world = make_single_communicator();
  LightGcn model(dataset, small_graph(), *world);
  const at::Tensor ego =
      at::cat({model.user_parameters().value(0), model.item_parameters().value(0)}).to(at::kDouble);
  const at::Tensor last = at::mm(dense_propagation(3), ego);
  EXPECT_LT(test::difference(model.item_embeddings(), last.narrow(0, 4, kNodeItems)), 1e-6);
  EXPECT_LT(test::difference(model.user_embeddings(), last.narrow(0, 0, 4)), 1e-6);
  const std::vector<RankerQuery> queries = {{2, {}}, {0, {}}};
  const at::Tensor scores = model.scores(queries);
  const at::Tensor expected =
      at::mm(last.index_select(0, at::tensor({2, 0}, at::kLong)), last.narrow(0, 4, kNodeItems).t());
  EXPECT_LT(test::difference(scores, expected), 1e-5);
  const std::vector<RankerQuery> nobody = {{9, {}}};
  EXPECT_THROW(static_cast<void>(model.scores(nobody)), Error);
}

TEST(LightGcn, ScoresOfTheTestMayKnowTheValidationItems) {
  const Dataset dataset = test::dataset_of(kHistories, kNodeItems);
  const auto world = make_single_communicator();
  LightGcn model(dataset, small_graph(), *world);
  const at::Tensor ego =
      at::cat({model.user_parameters().value(0), model.item_parameters().value(0)}).to(at::kDouble);
  const at::Tensor trained = model.item_embeddings();
  model.refresh(/*held_out=*/1);
  const at::Tensor last = at::mm(dense_propagation(3, kBeforeTest), ego);
  const std::vector<RankerQuery> queries = {{0, {}}, {1, {}}, {2, {}}, {3, {}}};
  EXPECT_LT(test::difference(model.scores(queries),
                             at::mm(last.narrow(0, 0, 4), last.narrow(0, 4, kNodeItems).t())),
            1e-5);
  EXPECT_GT(test::difference(model.item_embeddings(), trained), 1e-2);
  model.refresh();
  EXPECT_TRUE(at::equal(model.item_embeddings(), trained));
}

/// Four communities of 25 items each; a user takes all items from one of them.
struct Communities {
  static constexpr std::int64_t kCount = 4, kSize = 25, kUsers = 160, kLength = 10;
  std::vector<std::vector<ItemId>> histories;
  Communities() {
    for (std::int64_t user = 0; user < kUsers; ++user) {
      RandomStream random(11, Purpose::kTest, {static_cast<std::uint64_t>(user)});
      std::vector<ItemId> items(static_cast<std::size_t>(kSize));
      std::iota(items.begin(), items.end(), static_cast<ItemId>(user % kCount * kSize));
      random.shuffle(std::span(items));
      items.resize(static_cast<std::size_t>(kLength));
      histories.push_back(items);
    }
  }
};

/// The share of users whose last item is among the first 10 that are not in their history.
double hits(const std::vector<std::vector<ItemId>>& histories, const at::Tensor& scores) {
  at::Tensor masked = scores.clone();
  for (std::size_t user = 0; user < histories.size(); ++user) {
    for (std::size_t i = 0; i + 1 < histories[user].size(); ++i) {
      masked[static_cast<std::int64_t>(user)][histories[user][i]].fill_(-1e9);
    }
  }
  const std::vector<ItemId> ranking = rank_top_k(masked, 10);
  double found = 0;
  for (std::size_t user = 0; user < histories.size(); ++user) {
    const auto shown = std::span(ranking).subspan(user * 10, 10);
    found += std::find(shown.begin(), shown.end(), histories[user].back()) != shown.end() ? 1 : 0;
  }
  return found / static_cast<double>(histories.size());
}

TEST(LightGcn, FindsCommunitiesWherePopularityCannot) {
  const Communities communities;
  const auto users = static_cast<std::int64_t>(communities.histories.size());
  const Dataset dataset = test::dataset_of(communities.histories, 100);
  const auto world = make_single_communicator();
  at::Tensor popularity = at::zeros({100}, at::kFloat);
  for (const auto& history : communities.histories) {
    for (std::size_t i = 0; i + 2 < history.size(); ++i) popularity.data_ptr<float>()[history[i]] += 1;
  }
  const double baseline = hits(communities.histories, popularity.expand({users, 100}));
  EXPECT_LT(baseline, 0.25);
  std::vector<RankerQuery> queries;
  for (std::int64_t user = 0; user < users; ++user) queries.push_back({static_cast<UserId>(user), {}});
  for (const LightGcnLoss loss : {LightGcnLoss::kBpr, LightGcnLoss::kSoftmax}) {
    LightGcnOptions options;
    options.width = 16;
    options.loss = loss;
    options.train = {.epochs = 15, .batch = 256, .lr = 0.02};
    LightGcn model(dataset, options, *world);
    const CfTrainReport report = model.train({});
    EXPECT_EQ(report.epochs, 15);
    // One of the 16 items of the community that are left: 10 / 16 by chance.
    EXPECT_GT(hits(communities.histories, model.scores(queries)), baseline + 0.2);
  }
}

TEST(LightGcn, BadOptionsAndDataAreErrors) {
  const auto world = make_single_communicator();
  const Dataset dataset = test::dataset_of(kHistories, kNodeItems);
  LightGcnOptions options = small_graph();
  options.tau = 0;
  EXPECT_THROW(LightGcn(dataset, options, *world), UsageError);
  const Dataset empty = test::dataset_of({{1, 2}}, 3);
  LightGcn model(empty, small_graph(), *world);
  EXPECT_THROW(static_cast<void>(model.train({})), DataError);
}

}  // namespace
}  // namespace genrec
