#include "app/tokenizer_report.h"

#include <string>

#include "base/stopwatch.h"

namespace genrec {
namespace {

Json levels_json(const RqvaeMeasurement& measured) {
  Json levels = Json::array();
  for (std::size_t level = 0; level < measured.use.size(); ++level) {
    const CodebookUse& use = measured.use[level];
    levels.push_back({{"used", use.used},
                      {"codes", use.codes},
                      {"entropy_bits", use.entropy_bits},
                      {"perplexity", use.perplexity},
                      {"largest", use.largest},
                      {"residual_norm", measured.residual_norm[level]}});
  }
  return levels;
}

/// Null where this call has trained nothing.
Json speed_json(const TokenizerTraining& training) {
  if (training.epochs_of_call == 0) return nullptr;
  return per_second(static_cast<double>(training.epochs_of_call), training.seconds);
}

}  // namespace

Json provenance_json(const EmbeddingProvenance& from) {
  return {{"source", from.source},
          {"template", from.text_template},
          {"rows", from.rows},
          {"sha256", from.sha256},
          {"dataset_sha256", from.fingerprint}};
}

Metrics tokenizer_metrics(const RqvaeMeasurement& measured, double epoch_seconds) {
  const RqvaeLosses& losses = measured.losses;
  Metrics figures = {{"loss", losses.total},
                     {"reconstruction_loss", losses.reconstruction},
                     {"quantization_loss", losses.quantization},
                     {"collaborative_loss", losses.collaborative},
                     {"diversity_loss", losses.diversity},
                     {"collision_rate", measured.collision_rate}};
  if (epoch_seconds > 0) figures["epochs_per_s"] = per_second(1, epoch_seconds);
  for (std::size_t level = 0; level < measured.use.size(); ++level) {
    std::string place("_");
    place += std::to_string(level + 1);
    figures["used_codes" + place] = static_cast<double>(measured.use[level].used);
    figures["entropy_bits" + place] = measured.use[level].entropy_bits;
    figures["perplexity" + place] = measured.use[level].perplexity;
    figures["residual_norm" + place] = measured.residual_norm[level];
  }
  return figures;
}

Json tokenizer_report(const TokenizerTraining& training) {
  const RqvaeReport& report = training.report;
  return {{"epochs", training.epochs},
          {"best_epoch", report.score.epoch},
          {"loss", report.score.loss},
          {"collision_rate_before", report.measurement.collision_rate},
          {"collision_rate", report.collision_rate},
          {"collision_rate_of_distinct", report.collision_rate_of_distinct},
          {"inseparable_items", report.reassignment.inseparable_items},
          {"distinct_embeddings", report.embeddings.distinct_rows},
          {"levels", levels_json(report.measurement)},
          {"embeddings", provenance_json(training.embeddings)},
          {"collaborative", training.cf ? provenance_json(*training.cf) : Json(nullptr)},
          {"epochs_per_s", speed_json(training)}};
}

}  // namespace genrec
