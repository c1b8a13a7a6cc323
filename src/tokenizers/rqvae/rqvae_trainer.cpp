#include "tokenizers/rqvae/rqvae_trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "comm/on_root.h"
#include "io/sha256.h"
#include "optim/schedule.h"
#include "tokenizers/rqvae/code_clusters.h"
#include "tokenizers/rqvae/codebook_start.h"
#include "tokenizers/rqvae/gather_rows.h"
#include "tokenizers/rqvae/item_codes.h"
#include "tokenizers/rqvae/unused_codes.h"

namespace genrec {
namespace {

/// A stop is not to wait for a long epoch, nor ranks for each other at every step.
constexpr std::int64_t kStepsBetweenWishes = 64;

AdamWOptions optimizer_options(const RqvaeOptions& options) {
  AdamWOptions result;
  result.weight_decay = options.weight_decay;
  return result;
}

HostArray labels_array(const at::Tensor& labels) {
  const std::span<const std::int64_t> values(labels.const_data_ptr<std::int64_t>(),
                                             static_cast<std::size_t>(labels.numel()));
  return HostArray::of<std::int64_t>(values, labels.sizes().vec());
}

at::Tensor labels_tensor(const HostArray& array) {
  at::Tensor labels = at::empty(array.shape, at::kLong);
  const auto values = array.as<std::int64_t>();
  std::memcpy(labels.data_ptr(), values.data(), values.size_bytes());
  return labels;
}

std::string sha256_of(const at::Tensor& flat) {
  const at::Tensor host = flat.cpu();
  return sha256(
      std::as_bytes(std::span(host.const_data_ptr<float>(), static_cast<std::size_t>(host.numel()))));
}

}  // namespace

RqvaeTrainer::RqvaeTrainer(RqvaeModel& model, const Embeddings& embeddings, const Embeddings* cf,
                           const RqvaeOptions& options, Communicator& world, DeviceReducer* device_sums)
    : model_(model),
      options_(options),
      world_(world),
      batches_(embeddings, cf, options, world, model.device()),
      embeddings_sha256_(embeddings.provenance.sha256),
      cf_sha256_(options.letter.alpha > 0 ? cf->provenance.sha256 : ""),
      objective_(model, options, world),
      optimizer_(model.parameters(), optimizer_options(options)),
      reducer_(model.parameters(), world, device_sums) {
  model_.initialise(options.seed);
}

// Start of the codebooks.

/// What the options ask for and the data or the codes do not allow.
void RqvaeTrainer::note_limits() {
  if (options_.init == "kmeans" && options_.batch < options_.codes && options_.batch < items()) {
    notes_.push_back("the codebooks start from all items: a batch of " + std::to_string(options_.batch) +
                     " is less than tokenizer.codes = " + std::to_string(options_.codes));
  }
  const std::int64_t clusters = cluster_bounds(options_.codes, options_.letter.clusters).clusters;
  if (options_.letter.beta > 0 && clusters < options_.letter.clusters) {
    notes_.push_back("tokenizer.codes = " + std::to_string(options_.codes) + " allow " +
                     std::to_string(clusters) + " clusters of at least two codes, letter.clusters asks for " +
                     std::to_string(options_.letter.clusters));
  }
}

void RqvaeTrainer::start_codebooks_from_data() {
  if (options_.init != "uniform") {
    const Stopwatch watch;
    const at::Tensor points =
        gather_rows(model_.latent(batches_.start_rows()), world_).rows.cpu().contiguous();
    at::Tensor books = at::empty(model_.quantizer().codebooks().sizes(), at::kFloat);
    on_root(world_, [&] {
      CodebookStart start = start_codebooks(points, options_);
      books.copy_(start.codebooks);
      notes_ = std::move(start.notes);
    });
    broadcast_tensor(books, world_);
    model_.quantizer().codebooks().copy_(books);
    model_.parameters().refresh_compute();
    LOG_ROOT(INFO) << "tokenizer: codebooks start from " << points.size(0) << " items by " << options_.init
                   << ", " << watch.seconds() << " s";
  }
  if (world_.is_root()) note_limits();
  started_ = true;
}

// Training.

double RqvaeTrainer::step(const RqvaeBatch& batch) {
  ParameterStore& store = model_.parameters();
  store.flat_gradients().zero_();
  reducer_.begin();
  if (const at::Tensor loss = objective_.loss(batch, epoch_); loss.defined()) loss.backward();
  reducer_.finish();
  const std::int64_t all_steps = options_.epochs * batches_.lanes().steps();
  const double rate =
      learning_rate(options_.schedule, options_.lr, options_.warmup, optimizer_.steps(), all_steps);
  double scale = 1;
  if (options_.clip > 0) {
    // The norm may be 0.
    scale = options_.clip / std::max(options_.clip, gradient_norm(store));
  }
  optimizer_.step(rate, scale);
  return rate;
}

RqvaeLosses RqvaeTrainer::mean_losses() const {
  return objective_.means(objective_.sums(), items());
}

void RqvaeTrainer::check_finite(const RqvaeLosses& losses) const {
  if (std::isfinite(losses.total)) return;
  std::string message("tokenizer: the loss is no number in epoch ");
  message += std::to_string(epoch_ + 1) + " (reconstruction ";
  message += std::to_string(losses.reconstruction) + ", quantisation ";
  message += std::to_string(losses.quantization) + "); lower tokenizer.lr, or scale the embeddings down";
  throw DataError(message);
}

void RqvaeTrainer::begin_epoch() {
  // At an epoch's begin: what is measured has been trained since.
  if (options_.restart_every > 0 && epoch_ > 0 && epoch_ % options_.restart_every == 0) {
    restart_unused_codes(model_, optimizer_, batches_.own_rows(), batches_.lanes(), epoch_, options_.seed,
                         world_);
  }
  objective_.begin_epoch(epoch_);
}

std::optional<RqvaeEpoch> RqvaeTrainer::train_epoch(const RqvaeHooks& hooks) {
  const Stopwatch watch;
  const std::int64_t first = step_;
  if (first == 0) begin_epoch();
  const RqvaeEpochData data = batches_.epoch(epoch_);
  RqvaeEpoch report;
  report.steps = data.steps();
  while (step_ < report.steps) {
    report.lr = step(batches_.batch(data, step_));
    ++step_;
    const bool asks = step_ % kStepsBetweenWishes == 0 && step_ < report.steps;
    if (asks && saves_and_stops(hooks, /*may_stop=*/true)) return std::nullopt;
  }
  report.losses = mean_losses();
  check_finite(report.losses);
  last_losses_ = report.losses;
  step_ = 0;
  report.epoch = ++epoch_;
  report.seconds =
      watch.seconds() * static_cast<double>(report.steps) / static_cast<double>(report.steps - first);
  return report;
}

bool RqvaeTrainer::saves_and_stops(const RqvaeHooks& hooks, bool may_stop) const {
  const bool stop = world_.any(may_stop && hooks.stop && hooks.stop());
  const bool due = world_.any(world_.is_root() && hooks.checkpoint_due && hooks.checkpoint_due());
  if ((stop || due) && hooks.save) {
    if (step_ > 0) check_finite(mean_losses());  // else an epoch has just been
    hooks.save(state());
  }
  return stop;
}

bool RqvaeTrainer::is_in_turn(std::int64_t epoch) const {
  return options_.eval_every > 0 && epoch > 0 && epoch % options_.eval_every == 0;
}

bool RqvaeTrainer::run(const RqvaeHooks& hooks) {
  if (last_.defined()) {  // an earlier call has taken the best ones
    model_.parameters().flat_values().copy_(last_);
    model_.parameters().refresh_compute();
    last_ = at::Tensor();
  }
  if (!started_) start_codebooks_from_data();
  while (epoch_ < options_.epochs) {
    const std::optional<RqvaeEpoch> done = train_epoch(hooks);
    if (!done) return false;
    if (hooks.on_epoch) hooks.on_epoch(*done);
    const bool last = epoch_ == options_.epochs;
    if (last || is_in_turn(epoch_)) measure_and_keep(hooks);
    if (saves_and_stops(hooks, /*may_stop=*/!last)) return false;
  }
  const bool lacks_the_end = !options_.keep_best && best_score_.epoch != epoch_;
  if (best_score_.epoch < 0 || lacks_the_end) measure_and_keep(hooks);
  if (options_.keep_best) {
    last_ = model_.parameters().flat_values().clone();
    model_.parameters().flat_values().copy_(best_);
    model_.parameters().refresh_compute();
  }
  return true;
}

// Measurement.

RqvaeTrainer::Encoding RqvaeTrainer::encode_all(bool with_residuals) const {
  const EncodedRows own = model_.encode(batches_.own_rows());
  Encoding all;
  all.codes = batches_.by_item(own.codes, world_);
  if (with_residuals) all.residuals = batches_.by_item(own.last_residuals, world_);
  all.square_norms = own.square_norms.cpu().contiguous();
  sum_over_ranks(all.square_norms, world_);
  return all;
}

EncodedItems RqvaeTrainer::encode_items() const {
  const Encoding all = encode_all(/*with_residuals=*/true);
  return {all.codes, all.residuals};
}

RqvaeMeasurement RqvaeTrainer::measure() const {
  const Encoding all = encode_all(/*with_residuals=*/false);
  RqvaeMeasurement result;
  result.epoch = epoch_;
  result.collision_rate = collision_rate(item_codes(all.codes));
  result.losses = last_losses_;
  result.use = codebook_use(all.codes, options_.codes);
  const auto* norms = all.square_norms.const_data_ptr<double>();
  for (std::int64_t level = 1; level <= options_.levels; ++level) {
    result.residual_norm.push_back(norms[0] > 0 ? std::sqrt(norms[level] / norms[0]) : 0);
  }
  return result;
}

void RqvaeTrainer::measure_and_keep(const RqvaeHooks& hooks) {
  const at::Tensor values = model_.parameters().flat_values();
  if (world_.size() > 1) world_.require_equal(sha256_of(values), "parameters of the tokenizer");
  const RqvaeMeasurement measured = measure();
  if (hooks.on_measurement) hooks.on_measurement(measured);
  const RqvaeScore score{measured.epoch, measured.collision_rate, measured.losses.total};
  // Where training ends out of turn is no reason to take other weights than a longer training would.
  const bool counts = best_score_.epoch < 0 || is_in_turn(epoch_);
  if (options_.keep_best && !(counts && score.is_better_than(best_score_))) return;
  best_score_ = score;
  best_ = values.clone();
}

// State.

RqvaeState RqvaeTrainer::state() const {
  const ParameterStore& store = model_.parameters();
  RqvaeState state;
  state.epoch = epoch_;
  state.steps = optimizer_.steps();
  state.steps_of_epoch = step_;
  if (step_ > 0) state.sums = objective_.sums();
  state.values = arrays_of(last_.defined() ? last_ : store.flat_values(), store);
  state.exp_avg = arrays_of(optimizer_.exp_avg(), store);
  state.exp_avg_sq = arrays_of(optimizer_.exp_avg_sq(), store);
  if (best_.defined()) state.best = arrays_of(best_, store);
  state.best_score = best_score_;
  state.losses = last_losses_;
  if (const at::Tensor labels = objective_.cluster_labels(); labels.defined()) {
    state.code_clusters = labels_array(labels);
  }
  state.embeddings_sha256 = embeddings_sha256_;
  state.cf_sha256 = cf_sha256_;
  return state;
}

void RqvaeTrainer::restore(const RqvaeState& state) {
  require_same_vectors(state, embeddings_sha256_, cf_sha256_);
  ParameterStore& store = model_.parameters();
  fill_from_arrays(state.values, store, "tokenizer, weights", store.flat_values());
  store.refresh_compute();
  if (!state.exp_avg.empty()) {
    fill_from_arrays(state.exp_avg, store, "tokenizer, first moments", optimizer_.exp_avg());
    fill_from_arrays(state.exp_avg_sq, store, "tokenizer, second moments", optimizer_.exp_avg_sq());
  }
  optimizer_.set_steps(state.steps);
  epoch_ = state.epoch;
  last_losses_ = state.losses;
  step_ = state.steps_of_epoch;
  objective_.set_sums(state.sums);
  started_ = true;
  last_ = best_ = at::Tensor();
  best_score_ = {};
  // A measurement out of turn is of the end of a training, which this may go on from.
  const bool counts = epoch_ >= options_.epochs || is_in_turn(state.best_score.epoch);
  if (counts && !state.best.empty()) {
    best_score_ = state.best_score;
    best_ = at::zeros_like(store.flat_values());
    fill_from_arrays(state.best, store, "tokenizer, best weights", best_);
  }
  if (!state.code_clusters.shape.empty()) {
    objective_.set_cluster_labels(labels_tensor(state.code_clusters));
  }
}

}  // namespace genrec
