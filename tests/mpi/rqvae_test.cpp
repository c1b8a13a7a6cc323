#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mpi/mpi_main.h"
#include "tokenizers/rqvae/gather_rows.h"
#include "tokenizers/rqvae/rqvae_tokenizer.h"
#include "tokenizers/rqvae/unused_codes.h"
#include "unit/nn/random_tensors.h"
#include "unit/tokenizers/planted.h"

namespace genrec {
namespace {

struct Training {
  RqvaeModel model;
  RqvaeTrainer trainer;

  Training(const Embeddings& embeddings, const Embeddings& cf, const RqvaeOptions& options,
           Communicator& world)
      : model(embeddings.width, options, at::kCPU, Precision::kFloat32),
        trainer(model, embeddings, &cf, options, world) {}
};

/// All parts of the loss, and a last batch that is smaller than the number of ranks.
RqvaeOptions letter_options() {
  RqvaeOptions options = options_of_method("letter", test::planted_options());
  options.letter = {.alpha = 0.1, .beta = 0.01, .clusters = 4};
  options.epochs = 3;
  options.restart_every = 1;
  return options;
}

TEST(Rqvae, TrainsAsAWorldOfOneDoes) {
  Communicator& world = test::runtime().world();
  const auto single = make_single_communicator();
  const Embeddings embeddings = test::planted_embeddings(97, 9, 1),
                   cf = test::planted_embeddings(97, 6, 2, 4);
  Training ranks(embeddings, cf, letter_options(), world),
      reference(embeddings, cf, letter_options(), *single);
  std::vector<RqvaeLosses> losses, expected;
  RqvaeHooks hooks;
  hooks.on_epoch = [&](const RqvaeEpoch& epoch) { losses.push_back(epoch.losses); };
  ASSERT_TRUE(ranks.trainer.run(hooks));
  hooks.on_epoch = [&](const RqvaeEpoch& epoch) { expected.push_back(epoch.losses); };
  ASSERT_TRUE(reference.trainer.run(hooks));
  ASSERT_EQ(losses.size(), expected.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(losses[i].total, expected[i].total, 1e-3 * expected[i].total) << "epoch " << i;
    EXPECT_NEAR(losses[i].collaborative, expected[i].collaborative, 1e-3 * expected[i].collaborative);
    EXPECT_NEAR(losses[i].diversity, expected[i].diversity, 1e-2 * expected[i].diversity);
  }
}

std::string bytes_of(const at::Tensor& host) {
  return {static_cast<const char*>(host.const_data_ptr()), host.nbytes()};
}

std::string bytes_of(const ParameterArrays& arrays) {
  std::string bytes;
  for (const auto& [name, array] : arrays) {
    bytes.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  }
  return bytes;
}

/// One step from given codebooks. AdamW's first moment is then a tenth of the gradient: the sum over ranks,
/// after clipping.
RqvaeState after_one_step(const RqvaeOptions& options, std::int64_t items, Communicator& world) {
  Training training(test::planted_embeddings(items, items, 1), test::planted_embeddings(items, 12, 2, 4),
                    options, world);
  training.model.quantizer().codebooks().copy_(test::normal({options.levels, options.codes, options.dim}, 5) *
                                               0.5);
  training.trainer.restore(training.trainer.state());
  EXPECT_TRUE(training.trainer.run());
  return training.trainer.state();
}

TEST(Rqvae, GradientsAreThoseOfAWorldOfOne) {
  Communicator& world = test::runtime().world();
  const auto single = make_single_communicator();
  constexpr std::int64_t kItems = 64;  // a multiple of the codes: a balanced assignment splits no row
  RqvaeOptions plain = letter_options();
  plain.batch = kItems;
  plain.epochs = 1;
  RqvaeOptions dropout = plain, clip = plain, paper = plain;
  dropout.dropout = 0.3;
  clip.clip = 0.01;
  paper.gradient = "paper";
  std::string before;
  for (const RqvaeOptions& options : {plain, dropout, clip, paper}) {
    std::string trace("dropout ");
    trace.append(std::to_string(options.dropout)).append(", clip ").append(std::to_string(options.clip));
    SCOPED_TRACE(trace.append(", gradient ").append(options.gradient));
    const RqvaeState state = after_one_step(options, kItems, world);
    const RqvaeState expected = after_one_step(options, kItems, *single);
    EXPECT_NE(bytes_of(expected.exp_avg), before) << "the option changes nothing";
    before = bytes_of(expected.exp_avg);
    for (const auto& [name, array] : expected.exp_avg) {
      const auto moment = array.as<float>(), found = state.exp_avg.at(name).as<float>();
      ASSERT_EQ(found.size(), moment.size());
      float largest = 0, difference = 0;
      for (std::size_t i = 0; i < moment.size(); ++i) {
        largest = std::max(largest, std::abs(moment[i]));
        difference = std::max(difference, std::abs(moment[i] - found[i]));
      }
      EXPECT_GT(largest, 0) << name;
      EXPECT_LT(difference, 1e-4F * largest) << name;
    }
    world.require_equal(bytes_of(state.exp_avg), "gradients of the tokenizer");
  }
}

TEST(Rqvae, UnusedCodesRestartAsInAWorldOfOne) {
  Communicator& world = test::runtime().world();
  const auto single = make_single_communicator();
  const at::Tensor points = test::planted_points(97, 9, 16, 1);
  const ItemLanes lanes(97, 32, 3);
  const std::vector<std::int64_t> items(lanes.item_of_place().begin(), lanes.item_of_place().end());
  const at::Tensor rows = points.index_select(0, at::tensor(items));
  const auto restarted = [&](Communicator& of) {
    RqvaeModel model(16, test::planted_options(), at::kCPU, Precision::kFloat32);
    model.initialise(1);
    const at::Tensor books = model.quantizer().codebooks();
    books.narrow(1, 3, 13).fill_(1e3);
    AdamW optimizer(model.parameters(), {});
    const Range own = lanes.places_of_rank(of.rank(), of.size());
    restart_unused_codes(model, optimizer, rows.narrow(0, own.begin, own.size()), lanes, 2, 5, of);
    return books.clone();
  };
  const at::Tensor books = restarted(world);
  EXPECT_LT((books - restarted(*single)).abs().max().item<float>(), 1e-5);
  EXPECT_EQ(books.eq(1e3).any().item<bool>(), false);
  world.require_equal(bytes_of(books.contiguous()), "restarted codes");
}

TEST(Rqvae, RanksHaveTheSameCodes) {
  Communicator& world = test::runtime().world();
  const auto single = make_single_communicator();
  for (const std::int64_t items : {3, 97}) {  // the first are fewer than ranks may be
    const Embeddings embeddings = test::planted_embeddings(items, items, 1);
    RqvaeOptions options = test::planted_options();
    options.epochs = 1;
    options.lr = 1e-3;
    Training ranks(embeddings, embeddings, options, world),
        reference(embeddings, embeddings, options, *single);
    ASSERT_TRUE(ranks.trainer.run() && reference.trainer.run());
    const at::Tensor codes = ranks.trainer.encode_items().codes.contiguous();
    const at::Tensor expected = reference.trainer.encode_items().codes;
    ASSERT_EQ(codes.sizes(), expected.sizes());
    world.require_equal(bytes_of(codes), "codes of the items");
    // Rounding may decide where an item lies between two codes.
    const auto others = codes.ne(expected).any(1).sum().item<std::int64_t>();
    EXPECT_LE(others, items == 3 ? 0 : 2) << "of " << items;
    const RqvaeMeasurement measured = ranks.trainer.measure(), of_one = reference.trainer.measure();
    EXPECT_NEAR(measured.collision_rate, of_one.collision_rate, items == 3 ? 0 : 2.0 / 97);
    for (std::size_t level = 0; level < of_one.residual_norm.size(); ++level) {
      EXPECT_NEAR(measured.residual_norm[level], of_one.residual_norm[level],
                  (items == 3 ? 5e-2 : 1e-2) * of_one.residual_norm[level]);
      EXPECT_NEAR(static_cast<double>(measured.use[level].used), static_cast<double>(of_one.use[level].used),
                  2);
    }
  }
}

TEST(Rqvae, GoesOnAtAnotherNumberOfRanks) {
  Communicator& world = test::runtime().world();
  const auto single = make_single_communicator();
  const Embeddings embeddings = test::planted_embeddings(97, 9, 1),
                   cf = test::planted_embeddings(97, 6, 2, 4);
  RqvaeOptions options = letter_options();
  options.epochs = 4;
  Training straight(embeddings, cf, options, world), stopped(embeddings, cf, options, world),
      resumed(embeddings, cf, options, *single), of_one(embeddings, cf, options, *single),
      back(embeddings, cf, options, world);
  std::vector<double> expected;
  std::int64_t epochs = 0;
  std::optional<RqvaeState> state;
  RqvaeHooks record, stop;
  record.on_epoch = [&](const RqvaeEpoch& epoch) { expected.push_back(epoch.losses.total); };
  ASSERT_TRUE(straight.trainer.run(record));
  stop.on_epoch = [&](const RqvaeEpoch& epoch) { epochs = epoch.epoch; };
  stop.stop = [&] { return epochs == 2; };
  stop.save = [&](const RqvaeState& saved) { state = saved; };
  const auto goes_on = [&](RqvaeTrainer& from, RqvaeTrainer& to) {
    epochs = 0;
    ASSERT_FALSE(from.run(stop));
    world.require_equal(bytes_of(state->values) + bytes_of(state->exp_avg_sq), "saved states");
    to.restore(*state);
    std::vector<double> losses;
    RqvaeHooks hooks;
    hooks.on_epoch = [&](const RqvaeEpoch& epoch) { losses.push_back(epoch.losses.total); };
    ASSERT_TRUE(to.run(hooks));
    ASSERT_EQ(losses.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(losses[i], expected[i + 2], 1e-3 * expected[i + 2]);
  };
  goes_on(stopped.trainer, resumed.trainer);
  goes_on(of_one.trainer, back.trainer);
}

TEST(Rqvae, RanksHaveTheSameIdentifiers) {
  Communicator& world = test::runtime().world();
  Dataset dataset;
  dataset.catalogue.titles.resize(3);  // fewer items than ranks
  dataset.catalogue.descriptions.resize(3);
  RqvaeOptions options = test::planted_options();
  options.epochs = 2;
  RqvaeTokenizer tokenizer(options, test::planted_embeddings(3, 3, 1), std::nullopt);
  const IdentifierTable table = tokenizer.fit(dataset, world);
  EXPECT_EQ(table.distinct(), 3);
  world.require_equal(table.sha256(), "identifiers");
}

TEST(GatherRows, KeepsTheOrderOfTheRanks) {
  Communicator& world = test::runtime().world();
  // Rank r brings r rows, so that rank 0 brings none.
  const at::Tensor mine = at::full({world.rank(), 2}, world.rank(), at::kLong);
  const GatheredRows all = gather_rows(mine, world);
  std::int64_t row = 0;
  for (int rank = 0; rank < world.size(); ++rank) {
    if (rank == world.rank()) {
      EXPECT_EQ(all.first_own, row);
    }
    for (int i = 0; i < rank; ++i, ++row) EXPECT_EQ(all.rows[row][1].item<std::int64_t>(), rank);
  }
  EXPECT_EQ(all.rows.size(0), row);
}

}  // namespace
}  // namespace genrec
