#include "tokenizers/rqvae/rqvae_tokenizer.h"

#include <sstream>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "tokenizers/rqvae/item_codes.h"

namespace genrec {
namespace {

/// collision_rate() over the first of each group of equal embeddings.
double collision_rate_of_distinct(const ItemCodes& codes, const at::Tensor& first_equal) {
  const auto* first = first_equal.const_data_ptr<std::int64_t>();
  ItemCodes distinct{codes.levels, {}};
  for (ItemId item = 0; item < codes.items(); ++item) {
    if (first[item] != item) continue;
    const auto row = codes.of(item);
    distinct.values.insert(distinct.values.end(), row.begin(), row.end());
  }
  return collision_rate(distinct);
}

void log_measurement(const RqvaeMeasurement& measured) {
  std::ostringstream levels;
  for (std::size_t level = 0; level < measured.use.size(); ++level) {
    const CodebookUse& use = measured.use[level];
    levels << (level == 0 ? "" : ", ") << use.used << "/" << use.codes << " (perplexity " << use.perplexity
           << ", entropy " << use.entropy_bits << " bits, rest " << measured.residual_norm[level] << ")";
  }
  LOG_ROOT(INFO) << "tokenizer, epoch " << measured.epoch << ": collisions " << measured.collision_rate
                 << ", loss " << measured.losses.total << ", codes in use by level: " << levels.str();
}

void warn_of_dead_codes(const RqvaeMeasurement& measured, double warn_used_share) {
  for (std::size_t level = 0; level < measured.use.size(); ++level) {
    const CodebookUse& use = measured.use[level];
    if (static_cast<double>(use.used) >= warn_used_share * static_cast<double>(use.codes)) continue;
    LOG_ROOT(WARNING) << "tokenizer: level " << level + 1 << " uses " << use.used << " of " << use.codes
                      << " codes; the others are dead. tokenizer.restart-every 2, fewer tokenizer.codes or a "
                         "lower tokenizer.lr may help";
  }
}

}  // namespace

RqvaeTokenizer::RqvaeTokenizer(RqvaeOptions options, Embeddings embeddings, std::optional<Embeddings> cf,
                               RqvaeRuntime runtime)
    : options_(std::move(options)),
      embeddings_(std::move(embeddings)),
      cf_(std::move(cf)),
      runtime_(runtime) {}

RqvaeTokenizer::~RqvaeTokenizer() = default;

void RqvaeTokenizer::check_inputs(const Dataset& dataset) const {
  check_options(options_, dataset.items(), cf_ ? cf_->rows : 0, cf_ ? cf_->width : 0);
  if (embeddings_.rows != dataset.items()) {
    std::string message("embeddings of ");
    message += std::to_string(embeddings_.rows) + " items for a dataset of ";
    message += std::to_string(dataset.items());
    throw DataError(message + ": row i is item i's; make them from this dataset");
  }
  require_finite(embeddings_, "item embeddings");
  if (options_.letter.alpha > 0) require_finite(*cf_, "collaborative vectors");
}

void RqvaeTokenizer::say(const std::vector<std::string>& notes) const {
  for (const std::string& note : notes) LOG_ROOT(WARNING) << "tokenizer: " << note;
}

ItemCodes RqvaeTokenizer::identifiers_of(const RqvaeTrainer& trainer) {
  const EncodedItems encoded = trainer.encode_items();
  ItemCodes codes = item_codes(encoded.codes);
  if (options_.collision == "sinkhorn") {
    const at::Tensor codebook = model_->quantizer().codebook(options_.levels - 1).cpu();
    report_.reassignment = reassign_collisions(codes, encoded.last_residuals, codebook, options_);
    const Reassignment& done = report_.reassignment;
    LOG_ROOT(INFO) << "tokenizer: " << done.sharing_before << " items shared their codes, "
                   << done.sharing_after << " after " << done.rounds << " rounds of re-assignment ("
                   << done.inseparable_items << " of them cannot be told apart)";
  } else if (options_.collision == "digit") {
    append_digits(codes);
  }
  report_.collision_rate = collision_rate(codes);
  report_.collision_rate_of_distinct = collision_rate_of_distinct(codes, trainer.first_equal());
  return codes;
}

IdentifierTable RqvaeTokenizer::fit(const Dataset& dataset, Communicator& world) {
  if (model_) throw Error(ExitCode::kInternal, "a tokenizer is fitted once: its embeddings are gone");
  check_inputs(dataset);
  report_ = {};
  report_.embeddings = examine(embeddings_);
  say(describe(report_.embeddings));
  model_ = std::make_unique<RqvaeModel>(embeddings_.width, options_, runtime_.device, runtime_.precision);
  RqvaeTrainer trainer(*model_, embeddings_, cf_ ? &*cf_ : nullptr, options_, world, runtime_.device_sums);
  // The trainer holds the rows of this rank's items.
  std::vector<float>().swap(embeddings_.values);
  cf_.reset();
  if (resumed_) trainer.restore(*resumed_);
  resumed_.reset();
  RqvaeHooks hooks = hooks_;
  hooks.on_measurement = [this](const RqvaeMeasurement& measured) {
    log_measurement(measured);
    if (hooks_.on_measurement) hooks_.on_measurement(measured);
  };
  const bool finished = trainer.run(hooks);
  say(trainer.notes());
  if (!finished) {
    throw StoppedEarly("tokenizer: stopped within its training; run the same command again");
  }
  state_ = trainer.state();
  report_.score = trainer.best_score();
  report_.measurement = trainer.measure();
  warn_of_dead_codes(report_.measurement, options_.warn_used_share);
  ItemCodes codes = identifiers_of(trainer);
  // Ranks on different processors may round differently.
  world.broadcast(codes.values, 0);
  IdentifierTable table = identifier_table(codes);
  LOG_ROOT(INFO) << "tokenizer: " << table.items() << " items, " << table.distinct()
                 << " identifiers; collision rate " << report_.collision_rate << ", "
                 << report_.collision_rate_of_distinct << " among distinct embeddings";
  return table;
}

IdentifierTable RqvaeTokenizer::new_items(const IdentifierTable& table, const Embeddings& fresh) const {
  if (!model_) throw Error(ExitCode::kInternal, "new items need a tokenizer that was fitted");
  return with_new_items(table, *model_, fresh, options_);
}

std::unique_ptr<RqvaeModel> restored_model(const RqvaeState& state, std::int64_t width,
                                           const RqvaeOptions& options, const RqvaeRuntime& runtime) {
  auto model = std::make_unique<RqvaeModel>(width, options, runtime.device, runtime.precision);
  ParameterStore& store = model->parameters();
  fill_from_arrays(state.best.empty() ? state.values : state.best, store, "tokenizer", store.flat_values());
  store.refresh_compute();
  return model;
}

}  // namespace genrec
