#include "app/tokenizer_report.h"

#include <gmock/gmock.h>

namespace genrec {
namespace {

RqvaeMeasurement measured_once() {
  RqvaeMeasurement measured;
  measured.epoch = 3;
  measured.collision_rate = 0.25;
  measured.use = {CodebookUse{.used = 2, .codes = 4, .entropy_bits = 1, .perplexity = 2, .largest = 9}};
  measured.residual_norm = {0.5};
  return measured;
}

TEST(TokenizerReport, AMeasurementHasEveryLevelAndTheSpeed) {
  RqvaeMeasurement measured = measured_once();
  measured.losses.total = 1.5;
  EXPECT_FALSE(tokenizer_metrics(measured, 0).contains("epochs_per_s")) << "all were trained before";
  const Metrics figures = tokenizer_metrics(measured, 0.5);
  EXPECT_EQ(figures.at("loss"), 1.5);
  EXPECT_EQ(figures.at("epochs_per_s"), 2);
  EXPECT_EQ(figures.at("used_codes_1"), 2);
  EXPECT_EQ(figures.at("perplexity_1"), 2);
  EXPECT_EQ(figures.at("residual_norm_1"), 0.5);
  EXPECT_FALSE(figures.contains("used_codes_2"));
}

TEST(TokenizerReport, SaysWhatTheTokenizerWasMadeFrom) {
  TokenizerTraining training;
  training.report.measurement = measured_once();
  training.embeddings = {"an encoder", "title", 12, "beef", "f00d"};
  training.epochs = 30;
  Json json = tokenizer_report(training);
  EXPECT_EQ(json["embeddings"]["source"], "an encoder");
  EXPECT_EQ(json["embeddings"]["rows"], 12);
  EXPECT_EQ(json["levels"][0]["perplexity"], 2);
  EXPECT_TRUE(json["collaborative"].is_null());
  EXPECT_TRUE(json["epochs_per_s"].is_null()) << "all were trained before";
  training.cf = EmbeddingProvenance{"SASRec", "", 12, "cafe", "f00d"};
  training.epochs_of_call = 10;
  training.seconds = 4;
  json = tokenizer_report(training);
  EXPECT_EQ(json["collaborative"]["sha256"], "cafe");
  EXPECT_EQ(json["epochs_per_s"], 2.5);
}

}  // namespace
}  // namespace genrec
