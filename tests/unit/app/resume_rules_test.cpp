#include "app/resume_rules.h"

#include <gtest/gtest.h>

namespace genrec {
namespace {

CheckpointState standing_at(const std::string& stage, std::int64_t iteration, TrainPosition position = {}) {
  CheckpointState state;
  state.stage = stage;
  state.iteration = iteration;
  state.position = position;
  return state;
}

constexpr TrainPosition kWithin{.epoch = 2, .step = 5, .stage_step = 25};

TEST(ResumeRules, PlacesMayChangeResultsMayNot) {
  const ProgramOptions options;
  const CheckpointState state = standing_at("warm-up", 0, kWithin);
  EXPECT_TRUE(may_change("data.dir", state, options));
  EXPECT_TRUE(may_change("run.threads", state, options));
  for (const char* key : {"run.seed", "run.precision", "train.batch", "model.preset", "eval.users"})
    EXPECT_FALSE(may_change(key, state, options)) << key;
}

TEST(ResumeRules, IdentifiersAreMadeOnce) {
  const ProgramOptions options;
  const CheckpointState state = standing_at("warm-up", 0);
  for (const char* key : {"tokenizer.method", "tokenizer.epochs", "letter.alpha", "tokenizer.embeddings"})
    EXPECT_FALSE(may_change(key, state, options)) << key;
  for (const char* key : {"tokenizer.new-items", "embed.model", "sasrec.layers", "lightgcn.epochs"})
    EXPECT_TRUE(may_change(key, state, options)) << key;
}

TEST(ResumeRules, ATokenizerGoesOnAsItWasBegun) {
  ProgramOptions options;
  options.tokenizer.rqvae.epochs = 300;
  EXPECT_FALSE(tokenizer_may_change("tokenizer.lr", 200, options));
  EXPECT_FALSE(tokenizer_may_change("letter.beta", 200, options));
  EXPECT_FALSE(tokenizer_may_change("run.seed", 200, options));
  EXPECT_FALSE(tokenizer_may_change("tokenizer.text", 200, options));
  EXPECT_FALSE(tokenizer_may_change("run.precision", 200, options));
  for (const char* key : {"tokenizer.embeddings", "letter.cf"})
    EXPECT_TRUE(tokenizer_may_change(key, 200, options)) << key << ": compared by its bytes";
  EXPECT_TRUE(tokenizer_may_change("tokenizer.collision", 200, options)) << "used after the training";
  EXPECT_TRUE(tokenizer_may_change("train.lr", 200, options));
  EXPECT_TRUE(tokenizer_may_change("run.threads", 200, options));
  EXPECT_TRUE(tokenizer_may_change("tokenizer.epochs", 200, options));
  EXPECT_TRUE(tokenizer_may_change("tokenizer.epochs", 300, options));
  EXPECT_FALSE(tokenizer_may_change("tokenizer.epochs", 301, options)) << "more are done";
  options.tokenizer.rqvae.schedule = "cosine";
  EXPECT_FALSE(tokenizer_may_change("tokenizer.epochs", 200, options));
}

TEST(ResumeRules, AnOptionIsOpenUntilItsStage) {
  const ProgramOptions options;
  EXPECT_TRUE(may_change("siit.strategy", standing_at("warm-up", 0, kWithin), options));
  EXPECT_TRUE(may_change("siit.strategy", standing_at("align", 1, kWithin), options));
  EXPECT_TRUE(may_change("siit.strategy", standing_at("regenerate", 1), options));
  CheckpointState within = standing_at("regenerate", 1);
  within.regenerated = 64;
  EXPECT_FALSE(may_change("siit.strategy", within, options));
  EXPECT_TRUE(may_change("siit.continue-from", within, options));
  EXPECT_TRUE(may_change("siit.finetune-epochs", within, options));
  EXPECT_FALSE(may_change("siit.strategy", standing_at("fine-tune", 1), options));
  EXPECT_FALSE(may_change("siit.strategy", standing_at("align", 2), options));
  EXPECT_FALSE(may_change("siit.strategy", standing_at("done", 1), options));
  EXPECT_TRUE(may_change("siit.continue-from", standing_at("regenerate", 1), options));
  EXPECT_FALSE(may_change("siit.continue-from", standing_at("fine-tune", 1), options));
  EXPECT_TRUE(may_change("siit.finetune-epochs", standing_at("fine-tune", 1), options));
}

TEST(ResumeRules, AStageInWorkMayGetAnotherLength) {
  ProgramOptions options;
  options.siit.warmup_epochs = 3;
  EXPECT_TRUE(may_change("siit.warmup-epochs", standing_at("warm-up", 0, kWithin), options));
  EXPECT_FALSE(may_change("siit.warmup-epochs", standing_at("align", 1), options));
  options.siit.warmup_epochs = 2;  // the third has begun
  EXPECT_FALSE(may_change("siit.warmup-epochs", standing_at("warm-up", 0, kWithin), options));
  options.train.epochs = 30;
  EXPECT_TRUE(may_change("train.epochs", standing_at("train", 0, kWithin), options));
  EXPECT_FALSE(may_change("train.epochs", standing_at("done", 0), options));
  options.train.eval_every = 2;
  EXPECT_FALSE(may_change("train.epochs", standing_at("train", 0, kWithin), options));
  options.train.eval_every = 1;
  options.train.schedule = "linear";
  EXPECT_FALSE(may_change("train.epochs", standing_at("train", 0, kWithin), options));
}

TEST(ResumeRules, IterationsAreOpenUntilTheTest) {
  ProgramOptions options;
  options.siit.iterations = 2;
  EXPECT_TRUE(may_change("siit.iterations", standing_at("fine-tune", 2, kWithin), options));
  EXPECT_FALSE(may_change("siit.iterations", standing_at("align", 3), options));
  EXPECT_FALSE(may_change("siit.iterations", standing_at("test", 2), options));
}

}  // namespace
}  // namespace genrec
