#include "app/cf_state_file.h"

#include <gmock/gmock.h>

#include <limits>
#include <memory>

#include "app/cf_training.h"
#include "base/error.h"
#include "support.h"
#include "unit/cf/small_dataset.h"

namespace genrec {
namespace {

constexpr std::int64_t kUsers = 30, kItems = 20;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// The options of a call of embed.
struct Call {
  explicit Call(std::vector<std::string> words) {
    add_options(parser, options);
    words.insert(words.begin(), "embed");
    (void)parser.parse(words);
  }
  ProgramOptions options;
  OptionParser parser;
};

const std::vector<std::string> kLightGcn = {"--embed.model",     "lightgcn", "--embed.width",         "8",
                                            "--lightgcn.epochs", "4",        "--lightgcn.eval-every", "2",
                                            "--lightgcn.batch",  "32"};
const std::vector<std::string> kSasRec = {"--embed.model",   "sasrec", "--embed.width",  "8",
                                          "--sasrec.epochs", "4",      "--sasrec.inner", "16",
                                          "--sasrec.batch",  "8"};

std::vector<std::string> with(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

class CfStateFileTest : public ::testing::Test {
 protected:
  CfStateFileTest() { dataset_.fingerprint = "f00d"; }

  /// Vectors after a call that wishes to stop when it was asked `steps` times.
  at::Tensor vectors_after(const std::vector<std::string>& words, const std::string& name,
                           std::int64_t steps = kNever) {
    const Call call(words);
    std::unique_ptr<SasRec> sasrec;
    std::unique_ptr<LightGcn> lightgcn;
    if (call.options.embed.model == "sasrec") {
      sasrec = std::make_unique<SasRec>(kItems, sasrec_options(call.options));
    } else {
      lightgcn = std::make_unique<LightGcn>(dataset_, lightgcn_options(call.options), *world_);
    }
    const auto vectors = [&] { return sasrec ? sasrec->item_embeddings() : lightgcn->item_embeddings(); };
    CfStateFile file(folder_.path() / name, call.options, call.parser, dataset_, *world_);
    if (lightgcn) file.divide_by_users(lightgcn->user_parameters());
    file.find();
    CfTrainHooks hooks;
    std::int64_t asked = 0;
    hooks.validate = [&] { return vectors().sum().item<double>(); };
    hooks.should_stop = [&] { return asked++ == steps; };
    hooks.save = [&](const CfTrainState& state) { file.save(state); };
    hooks.restore = [&](CfTrainState& state) { return file.restore(state); };
    if (sasrec) {
      (void)sasrec->train(dataset_, hooks, *world_);
    } else {
      (void)lightgcn->train(hooks);
    }
    return vectors();
  }
  /// What a call with these options finds.
  std::optional<CfTrainProgress> found(const std::vector<std::string>& words, const std::string& name) {
    const Call call(words);
    CfStateFile file(folder_.path() / name, call.options, call.parser, dataset_, *world_);
    file.find();
    return file.found();
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<Communicator> world_ = make_single_communicator();
  Dataset dataset_ = test::dataset_of(test::random_histories(kUsers, kItems, 8, 3), kItems);
};

TEST_F(CfStateFileTest, ATrainingGoesOnBitForBit) {
  for (const auto& words : {kLightGcn, kSasRec}) {
    const std::string name = words[1];
    const at::Tensor straight = vectors_after(words, name + "-straight.h5");
    const at::Tensor untrained = vectors_after(words, name + ".h5", 0);
    const at::Tensor stopped = vectors_after(words, name + ".h5", 9);
    EXPECT_FALSE(at::equal(untrained, stopped)) << name;
    EXPECT_TRUE(at::equal(vectors_after(words, name + ".h5"), straight)) << name;
    EXPECT_TRUE(at::equal(vectors_after(words, name + ".h5"), straight)) << name << ": nothing left to do";
  }
}

TEST_F(CfStateFileTest, LayoutIsAsItSays) {
  (void)vectors_after(kLightGcn, "x.h5");
  const Hdf5Reader file(folder_.path() / "x.h5");
  EXPECT_EQ(file.shape("/model/user_embedding"), (std::vector<std::int64_t>{kUsers, 8}));
  EXPECT_EQ(file.shape("/training/exp_avg/item_embedding"), (std::vector<std::int64_t>{kItems, 8}));
  EXPECT_EQ(file.integer_attribute("/training", "epoch"), 4);
  EXPECT_TRUE(file.verify().empty());
  (void)vectors_after(kSasRec, "y.h5");
  EXPECT_TRUE(Hdf5Reader(folder_.path() / "y.h5").has("/model/item_embedding.weight"));
}

TEST_F(CfStateFileTest, RunResumeIsObeyed) {
  EXPECT_FALSE(found(kSasRec, "x.h5").has_value());
  EXPECT_THROW((void)found(with(kSasRec, {"--run.resume", "must"}), "x.h5"), MissingInput);
  (void)vectors_after(kSasRec, "x.h5", 9);
  const auto progress = found(with(kSasRec, {"--run.resume", "must"}), "x.h5");
  ASSERT_TRUE(progress.has_value());
  EXPECT_GT(progress->epoch, 0);
  EXPECT_THROW((void)found(with(kSasRec, {"--run.resume", "never"}), "x.h5"), UsageError);
}

TEST_F(CfStateFileTest, AnotherTrainingIsRefused) {
  (void)vectors_after(kSasRec, "x.h5", 9);
  try {
    (void)found(with(kSasRec, {"--sasrec.lr", "0.5"}), "x.h5");
    ADD_FAILURE() << "went on with another learning rate";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("sasrec.lr = 0.5"));
  }
  EXPECT_THROW((void)found(with(kSasRec, {"--embed.model", "lsa"}), "x.h5"), UsageError);
  EXPECT_TRUE(found(with(kSasRec, {"--embed.output", "z.h5", "--lightgcn.lr", "0.5"}), "x.h5").has_value());
  dataset_.fingerprint = "beef";
  EXPECT_THROW((void)found(kSasRec, "x.h5"), DataError);
}

TEST(CfMayChange, WhatHasNotShapedTheTraining) {
  ProgramOptions options;
  options.embed.model = "sasrec";
  options.embed.sasrec.train.epochs = 5;
  CfTrainProgress progress;
  progress.epoch = 4;
  progress.step = 7;
  for (const char* key :
       {"run.threads", "run.device", "data.dir", "embed.output", "eval.baselines", "train.lr"})
    EXPECT_TRUE(cf_may_change(key, progress, options)) << key;
  for (const char* key : {"run.seed", "embed.model", "embed.width", "embed.exclude-history", "eval.users",
                          "eval.k", "sasrec.lr", "sasrec.patience"})
    EXPECT_FALSE(cf_may_change(key, progress, options)) << key;
  EXPECT_TRUE(cf_may_change("sasrec.epochs", progress, options));
  options.embed.sasrec.train.epochs = 4;
  EXPECT_FALSE(cf_may_change("sasrec.epochs", progress, options)) << "the fifth has begun";
  options.embed.sasrec.train.epochs = 9;
  options.embed.sasrec.train.eval_every = 2;
  EXPECT_TRUE(cf_may_change("sasrec.epochs", progress, options)) << "within an epoch";
  progress.step = 0;
  progress.epoch = 6;
  EXPECT_TRUE(cf_may_change("sasrec.epochs", progress, options)) << "the last was measured in turn";
  progress.epoch = 5;
  EXPECT_FALSE(cf_may_change("sasrec.epochs", progress, options)) << "the last was measured out of turn";
}

}  // namespace
}  // namespace genrec
