#include "cf/sasrec.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "unit/cf/dense_sasrec.h"
#include "unit/cf/small_dataset.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

constexpr std::int64_t kItems = 20;

/// Weights large enough that every part of the model matters.
SasRecOptions small_options() {
  SasRecOptions options;
  options.layers = 2;
  options.heads = 2;
  options.width = 8;
  options.inner = 12;
  options.history = 6;
  options.initial_std = 0.4;
  options.dropout = options.attention_dropout = 0.4;
  return options;
}

/// Three users; every position has a target and a negative.
SequenceBatch small_batch() {
  SequenceBatch batch;
  batch.append(5, std::vector<ItemId>{1, 4, 2, 7});
  batch.append(2, std::vector<ItemId>{3});
  batch.append(9, std::vector<ItemId>{8, 6, 1, 19, 4, 11});
  batch.targets = {4, 2, 7, 9, 5, 6, 1, 19, 4, 11, 0};
  batch.negatives = {10, 11, 12, 13, 14, 15, 16, 17, 18, 3, 2};
  return batch;
}

std::vector<std::int64_t> items_of(const SequenceBatch& batch, std::size_t sequence) {
  return {batch.items.begin() + batch.offsets[sequence], batch.items.begin() + batch.offsets[sequence + 1]};
}

/// All positions of the batch, [positions, width].
at::Tensor dense_hidden(const test::DenseSasRec& dense, const SequenceBatch& batch) {
  std::vector<at::Tensor> all;
  for (std::size_t s = 0; s < batch.users.size(); ++s) all.push_back(dense.hidden(items_of(batch, s)));
  return at::cat(all, 0);
}

at::Tensor as_index(const std::vector<ItemId>& items) {
  return at::tensor(std::vector<std::int64_t>(items.begin(), items.end()), at::kLong);
}

/// Both losses by their definition, the sum over positions.
at::Tensor dense_loss(const test::DenseSasRec& dense, const SequenceBatch& batch, SasRecLoss loss) {
  const at::Tensor logits = at::mm(dense_hidden(dense, batch), dense.parameter("item_embedding.weight").t());
  const at::Tensor target = logits.gather(1, as_index(batch.targets).unsqueeze(1)).squeeze(1);
  if (loss == SasRecLoss::kCrossEntropy) return (logits.exp().sum(1).log() - target).sum();
  const at::Tensor negative = logits.gather(1, as_index(batch.negatives).unsqueeze(1)).squeeze(1);
  return -(at::sigmoid(target).log() + (1 - at::sigmoid(negative)).log()).sum();
}

TEST(SasRec, GradientsOfBothLossesEqualTheDenseFormula) {
  const SequenceBatch batch = small_batch();
  for (const bool pre_norm : {false, true}) {
    for (const SasRecLoss loss : {SasRecLoss::kCrossEntropy, SasRecLoss::kBinary}) {
      SasRecOptions options = small_options();
      options.loss = loss;
      options.pre_norm = pre_norm;
      options.positions_from_end = !pre_norm;
      SasRec model(kItems, options);
      const test::DenseSasRec dense(model);
      EXPECT_LT(test::difference(model.hidden_states(batch), dense_hidden(dense, batch).detach()), 5e-5);
      const at::Tensor expected = dense_loss(dense, batch, loss);
      expected.backward();
      const BatchLoss result = model.accumulate_gradients(batch, std::nullopt);
      EXPECT_EQ(result.terms, 11);
      EXPECT_NEAR(result.sum, expected.item<double>(), 1e-3);
      for (std::size_t i = 0; i < model.parameters().entries().size(); ++i) {
        const std::string& name = model.parameters().entries()[i].name;
        const at::Tensor gradient = dense.parameter(name).grad();
        ASSERT_TRUE(gradient.defined()) << name;
        const double largest = gradient.abs().max().item<double>();
        EXPECT_GT(largest, 1e-3) << name << " has no part in the loss";
        EXPECT_LT(test::difference(model.parameters().gradient(i), gradient), 5e-5 * (1 + largest))
            << name << (pre_norm ? ", pre-norm" : ", post-norm");
      }
    }
  }
}

TEST(SasRec, ALaterItemDoesNotChangeEarlierOutputs) {
  for (const bool pre_norm : {false, true}) {
    SasRecOptions options = small_options();
    options.pre_norm = pre_norm;
    const SasRec model(kItems, options);
    const SequenceBatch batch = small_batch();
    SequenceBatch changed = batch;
    changed.items[9] = 12;  // the fifth of the last user's six
    const at::Tensor before = model.hidden_states(batch), after = model.hidden_states(changed);
    EXPECT_LT(test::difference(before.narrow(0, 0, 9), after.narrow(0, 0, 9)), 1e-6);
    EXPECT_GT(test::difference(before[9], after[9]), 1e-2);
    EXPECT_GT(test::difference(before[10], after[10]), 1e-3) << "the item after it sees it";
  }
}

TEST(SasRec, UsersOfABatchDoNotMeet) {
  SasRec model(kItems, small_options());
  SequenceBatch batch = small_batch(), alone;
  alone.append(9, std::vector<ItemId>{8, 6, 1, 19, 4, 11});
  EXPECT_LT(test::difference(model.hidden_states(alone), model.hidden_states(batch).narrow(0, 5, 6)), 1e-5);
  // With dropout too: masks belong to the user, wherever in a batch, on whatever rank.
  const at::Tensor whole = [&] {
    model.parameters().flat_gradients().zero_();
    model.accumulate_gradients(batch, 77);
    return model.parameters().flat_gradients().clone();
  }();
  model.parameters().flat_gradients().zero_();
  const std::vector<std::int64_t> begins = {0, 4, 5, 11};
  for (const std::size_t s : {2U, 0U, 1U}) {
    SequenceBatch one;
    const auto part = [&](const std::vector<ItemId>& values) {
      return std::vector<ItemId>(values.begin() + begins[s], values.begin() + begins[s + 1]);
    };
    one.append(batch.users[s], part(batch.items));
    one.targets = part(batch.targets);
    model.accumulate_gradients(one, 77);
  }
  EXPECT_LT(test::difference(model.parameters().flat_gradients(), whole), 1e-4);
}

TEST(SasRec, DropoutIsAFunctionOfItsKey) {
  SasRec model(kItems, small_options());
  const auto gradient = [&](std::optional<std::uint64_t> key) {
    model.parameters().flat_gradients().zero_();
    model.accumulate_gradients(small_batch(), key);
    return model.parameters().flat_gradients().clone();
  };
  const at::Tensor one = gradient(1);
  EXPECT_TRUE(at::equal(gradient(1), one));
  EXPECT_GT(test::difference(gradient(2), one), 1e-2);
  EXPECT_GT(test::difference(gradient(std::nullopt), one), 1e-2);
}

TEST(SasRec, DropoutOfAttentionIsItsOwn) {
  const auto effect = [](double dropout, double attention_dropout) {
    SasRecOptions options = small_options();
    options.dropout = dropout;
    options.attention_dropout = attention_dropout;
    SasRec model(kItems, options);
    std::vector<at::Tensor> gradients;
    for (const std::optional<std::uint64_t> key :
         {std::optional<std::uint64_t>(1), std::optional<std::uint64_t>()}) {
      model.parameters().flat_gradients().zero_();
      model.accumulate_gradients(small_batch(), key);
      gradients.push_back(model.parameters().flat_gradients().clone());
    }
    return test::difference(gradients[0], gradients[1]);
  };
  EXPECT_EQ(effect(0, 0), 0);
  EXPECT_GT(effect(0, 0.4), 1e-2);
  EXPECT_GT(effect(0.4, 0), 1e-2);
}

TEST(SasRec, ScoresAreOfTheLastItemsOfAHistory) {
  SasRec model(kItems, small_options());
  const test::DenseSasRec dense(model);
  const std::vector<ItemId> longer = {1, 2, 3, 4, 5, 6, 7, 8, 9}, shorter = {11, 4};
  const std::vector<RankerQuery> queries = {{0, longer}, {1, {}}, {2, shorter}};
  const at::Tensor scores = model.scores(queries);
  ASSERT_EQ(scores.size(0), 3);
  ASSERT_EQ(scores.size(1), kItems);
  const auto expected = [&](const std::vector<std::int64_t>& items) {
    const at::Tensor last = dense.hidden(items).narrow(0, static_cast<std::int64_t>(items.size()) - 1, 1);
    return at::mm(last, dense.parameter("item_embedding.weight").t()).squeeze(0).detach();
  };
  EXPECT_LT(test::difference(scores[0], expected({4, 5, 6, 7, 8, 9})), 1e-4);
  EXPECT_EQ(scores[1].abs().max().item<float>(), 0);
  EXPECT_LT(test::difference(scores[2], expected({11, 4})), 1e-4);
  const at::Tensor embeddings = model.item_embeddings();
  EXPECT_LT(test::difference(embeddings, dense.parameter("item_embedding.weight").detach()), 1e-7);
  // A copy: training on does not change what was exported.
  model.parameters().flat_values().zero_();
  EXPECT_GT(embeddings.abs().max().item<float>(), 0.1F);
}

/// Ten items in a fixed round; who begins where, differs. The item after the last is the next of the round.
TEST(SasRec, MemorisesACycle) {
  std::vector<std::vector<ItemId>> histories;
  for (int user = 0; user < 30; ++user) {
    std::vector<ItemId> history;
    for (int i = 0; i < 8; ++i) history.push_back(static_cast<ItemId>((user + i) % 10));
    histories.push_back(history);
  }
  const Dataset dataset = test::dataset_of(histories, 10);
  const auto world = make_single_communicator();
  for (const SasRecLoss loss : {SasRecLoss::kCrossEntropy, SasRecLoss::kBinary}) {
    SasRecOptions options;
    options.layers = 1;
    options.heads = 1;
    options.width = 16;
    options.inner = 32;
    options.history = 8;
    options.dropout = options.attention_dropout = 0.1;
    options.loss = loss;
    options.initial_std = 0.1;
    options.train.epochs = 100;
    options.train.batch = 15;
    options.train.lr = 0.01;
    SasRec model(10, options);
    const CfTrainReport report = model.train(dataset, {}, *world);
    EXPECT_EQ(report.epochs, 100);
    EXPECT_LT(report.loss, 0.7);
    for (ItemId first = 0; first < 10; ++first) {
      const std::vector<ItemId> history = {first, (first + 1) % 10, (first + 2) % 10};
      const std::vector<RankerQuery> queries = {{0, history}};
      at::Tensor scores = model.scores(queries);
      // Six in a row are a user's training part, none of which is drawn as a negative: where a history ends,
      // nothing has taught the binary loss about the last five.
      const int untaught = loss == SasRecLoss::kBinary ? 5 : 0;
      for (int before = 0; before < untaught; ++before) {
        scores.data_ptr<float>()[(first + 12 - before) % 10] = -1e9F;
      }
      EXPECT_EQ(rank_top_k(scores, 1)[0], (first + 3) % 10) << "after " << first + 2;
    }
  }
}

TEST(SasRec, BadOptionsAreUsageErrors) {
  SasRecOptions options = small_options();
  options.heads = 3;
  EXPECT_THROW(SasRec(kItems, options), UsageError);
  options = small_options();
  options.dropout = 1;
  EXPECT_THROW(SasRec(kItems, options), UsageError);
  options = small_options();
  options.attention_dropout = 1;
  EXPECT_THROW(SasRec(kItems, options), UsageError);
}

}  // namespace
}  // namespace genrec
