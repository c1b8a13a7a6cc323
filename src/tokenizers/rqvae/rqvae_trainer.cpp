#include "tokenizers/rqvae/rqvae_trainer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "comm/on_root.h"
#include "io/sha256.h"
#include "nn/indices.h"
#include "nn/sinkhorn.h"
#include "optim/schedule.h"
#include "tokenizers/rqvae/codebook_start.h"
#include "tokenizers/rqvae/gather_rows.h"
#include "tokenizers/rqvae/item_codes.h"
#include "tokenizers/rqvae/rqvae_losses.h"
#include "tokenizers/rqvae/rqvae_streams.h"
#include "tokenizers/rqvae/unused_codes.h"

namespace genrec {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

/// A stop is not to wait for a long epoch, nor ranks for each other at every step.
constexpr std::int64_t kStepsBetweenWishes = 64;

/// Parts of the loss, in the order of their sums.
enum LossPart : std::int64_t { kReconstruction, kQuantization, kCollaborative, kDiversity, kLossParts };

/// Rows of the items at some places, in their order, on the device.
at::Tensor rows_of_places(const Embeddings& table, std::span<const ItemId> items, at::Device device) {
  at::Tensor host = at::empty({static_cast<std::int64_t>(items.size()), table.width}, at::kFloat);
  auto* out = host.data_ptr<float>();
  for (const ItemId item : items) {
    const auto row = table.row(item);
    out = std::copy(row.begin(), row.end(), out);
  }
  return host.to(device);
}

template <typename T>
at::Tensor long_tensor(const std::vector<T>& numbers) {
  return index_on(numbers, at::kCPU);
}

std::span<const ItemId> items_at(const ItemLanes& lanes, Range places) {
  return std::span(lanes.item_of_place())
      .subspan(static_cast<std::size_t>(places.begin), static_cast<std::size_t>(places.size()));
}

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

std::span<double> doubles_of(at::Tensor& x) {
  return {x.data_ptr<double>(), static_cast<std::size_t>(x.numel())};
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
      lanes_(embeddings.rows, options.batch, options.seed),
      embeddings_sha256_(embeddings.provenance.sha256),
      cf_sha256_(options.letter.alpha > 0 ? cf->provenance.sha256 : ""),
      own_places_(lanes_.places_of_rank(world.rank(), world.size())),
      local_(rows_of_places(embeddings, items_at(lanes_, own_places_), model.device())),
      item_of_place_(long_tensor(lanes_.item_of_place())),
      first_equal_(long_tensor(first_equal_rows(embeddings))),
      optimizer_(model.parameters(), optimizer_options(options)),
      reducer_(model.parameters(), world, device_sums) {
  if (options.letter.alpha > 0) cf_ = rows_of_places(*cf, lanes_.item_of_place(), model.device());
  model_.initialise(options.seed);
}

// Start of the codebooks.

at::Tensor RqvaeTrainer::start_points() const {
  std::vector<std::int64_t> places;
  const std::int64_t sample = most_constrained_rows(options_.codes);
  const bool first_batch = options_.init == "kmeans" && lanes_.lanes() >= options_.codes;
  if (first_batch) {
    const LaneEpoch order = lanes_.epoch(0, world_.rank(), world_.size());
    const Range batch = order.steps.front().places;
    places.assign(order.places.begin() + batch.begin, order.places.begin() + batch.end);
  } else {
    places.resize(static_cast<std::size_t>(lanes_.items()));
    std::iota(places.begin(), places.end(), std::int64_t{0});
    if (options_.init == "constrained-kmeans" && lanes_.items() > sample) {
      RandomStream(start_sample_key(options_.seed)).shuffle(std::span(places));
      places.resize(static_cast<std::size_t>(sample));
    }
  }
  // Places ascend with the ranks, so gathered rows come in this order at any number of ranks.
  std::sort(places.begin(), places.end());
  std::erase_if(places,
                [this](std::int64_t place) { return place < own_places_.begin || place >= own_places_.end; });
  for (std::int64_t& place : places) place -= own_places_.begin;
  const at::Tensor own = local_.index_select(0, index_on(places, model_.device()));
  return gather_rows(model_.latent(own), world_).rows.cpu().contiguous();
}

/// What the options ask for and the data or the codes do not allow.
void RqvaeTrainer::note_limits() {
  if (options_.init == "kmeans" && options_.batch < options_.codes && options_.batch < lanes_.items()) {
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
    const auto began = Clock::now();
    const at::Tensor points = start_points();
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
                   << ", " << seconds_since(began) << " s";
  }
  if (world_.is_root()) note_limits();
  started_ = true;
}

// Training.

void RqvaeTrainer::renew_clusters() {
  if (options_.letter.beta <= 0) return;
  if (clusters_ && epoch_ % options_.letter.recluster_every != 0) return;
  // Rank 0's: on another processor a code may round into another cluster.
  const at::Tensor labels = at::empty({options_.levels, options_.codes}, at::kLong);
  on_root(world_, [&] {
    labels.copy_(cluster_codes(model_.quantizer().codebooks(), options_.letter.clusters,
                               clusters_key(options_.seed, epoch_)));
  });
  broadcast_tensor(labels, world_);
  clusters_.emplace(labels, model_.device());
}

RqvaeTrainer::EpochData RqvaeTrainer::data_of_epoch() const {
  EpochData data;
  data.order = lanes_.epoch(epoch_, world_.rank(), world_.size());
  std::vector<std::int64_t> rows, items;
  rows.reserve(static_cast<std::size_t>(own_places_.size()));
  for (const LaneEpoch::Step& step : data.order.steps) {
    for (std::int64_t i = step.mine.begin; i < step.mine.end; ++i) {
      const std::int64_t place = data.order.places[static_cast<std::size_t>(i)];
      rows.push_back(place - own_places_.begin);
      items.push_back(lanes_.item_of_place()[static_cast<std::size_t>(place)]);
    }
  }
  data.rows = index_on(rows, model_.device());
  if (cf_.defined()) data.places = index_on(data.order.places, model_.device());
  if (options_.letter.beta > 0) {
    data.draws =
        positive_draws(items, options_.levels, positives_key(options_.seed, epoch_)).to(model_.device());
  }
  data.items.assign(items.begin(), items.end());
  return data;
}

at::Tensor RqvaeTrainer::balanced_codes(const at::Tensor& residual, const at::Tensor& codebook) const {
  const SinkhornOptions options{.epsilon = options_.sinkhorn_epsilon,
                                .iterations = options_.sinkhorn_iterations};
  if (world_.size() == 1) return sinkhorn_codes(square_distances(residual, codebook), options);
  if (residual.is_cpu()) {
    // Two small sums an iteration cost less than that every rank does the work of all.
    const SinkhornRanks ranks{
        .sum_over_ranks = [this](at::Tensor& x) { world_.all_reduce_sum(doubles_of(x)); },
        .max_over_ranks = [this](at::Tensor& x) { world_.all_reduce_max(doubles_of(x)); }};
    return sinkhorn_codes(square_distances(residual, codebook), options, ranks);
  }
  // A device would be waited for at each sum.
  const GatheredRows all = gather_rows(residual, world_);
  return sinkhorn_codes(square_distances(all.rows, codebook), options)
      .narrow(0, all.first_own, residual.size(0));
}

at::Tensor RqvaeTrainer::loss_of(const Batch& batch) {
  std::optional<PackedLayout> layout;
  MlpDropout encoder_dropout, decoder_dropout;
  if (options_.dropout > 0) {
    std::vector<std::int64_t> offsets(batch.items.size() + 1);
    std::iota(offsets.begin(), offsets.end(), std::int64_t{0});
    layout.emplace(std::move(offsets), model_.device());
    layout->draw_keys(dropout_key(options_.seed, epoch_), batch.items);
    encoder_dropout = {&*layout, options_.dropout, DropoutSite::kEncoderHidden};
    decoder_dropout = {&*layout, options_.dropout, DropoutSite::kDecoderHidden};
  }
  QuantizeRequest request;
  request.mean_over = batch.size;
  if (options_.sinkhorn_epsilon > 0) {
    request.last_level = [this](const at::Tensor& residual, const at::Tensor& codebook) {
      return balanced_codes(residual, codebook);
    };
  }
  const at::Tensor z = model_.encoder().forward(model_.leaves(), batch.x, encoder_dropout);
  const Quantized quantized = model_.quantizer().forward(model_.codebook_leaf(), z, request);
  const at::Tensor x_hat = model_.decoder().forward(model_.leaves(), quantized.z_hat, decoder_dropout);
  std::vector<at::Tensor> parts(kLossParts);
  parts[kReconstruction] = reconstruction_loss(x_hat, batch.x, batch.size);
  parts[kQuantization] = quantized.loss;
  at::Tensor total = at::add(parts[kReconstruction], quantized.loss, options_.quantization_weight);
  if (batch.cf.defined()) {
    parts[kCollaborative] = collaborative_loss(quantized.z_hat, batch.cf, batch.first_row);
    total = at::add(total, parts[kCollaborative], options_.letter.alpha);
  } else {
    parts[kCollaborative] = at::zeros({}, x_hat.options());
  }
  if (batch.draws.defined()) {
    const at::Tensor& codes = quantized.detail.codes;
    parts[kDiversity] =
        diversity_loss(model_.codebook_leaf(), codes, clusters_->positives(codes, batch.draws), batch.size);
    total = at::add(total, parts[kDiversity], options_.quantization_weight * options_.letter.beta);
  } else {
    parts[kDiversity] = at::zeros({}, x_hat.options());
  }
  const at::NoGradGuard no_gradients;
  loss_sums_.add_(at::stack(parts), static_cast<double>(batch.size));
  return total;
}

double RqvaeTrainer::step(const Batch& batch) {
  ParameterStore& store = model_.parameters();
  store.flat_gradients().zero_();
  reducer_.begin();
  if (batch.x.size(0) > 0) {
    loss_of(batch).backward();
  } else if (options_.sinkhorn_epsilon > 0) {
    // The other ranks wait for this one's rows, of which there are none.
    const at::NoGradGuard no_gradients;
    (void)balanced_codes(at::empty({0, options_.dim}, batch.x.options()),
                         model_.quantizer().codebook(options_.levels - 1));
  }
  reducer_.finish();
  const std::int64_t all_steps = options_.epochs * lanes_.steps();
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

RqvaeLosses RqvaeTrainer::sums() const {
  const at::Tensor host = loss_sums_.to(at::kCPU, at::kDouble, /*non_blocking=*/false, /*copy=*/true);
  sum_over_ranks(host, world_);
  const auto* sums = host.const_data_ptr<double>();
  return {.reconstruction = sums[kReconstruction],
          .quantization = sums[kQuantization],
          .collaborative = sums[kCollaborative],
          .diversity = sums[kDiversity]};
}

RqvaeLosses RqvaeTrainer::means_of(const RqvaeLosses& sums) const {
  const auto items = static_cast<double>(lanes_.items());
  RqvaeLosses losses{.reconstruction = sums.reconstruction / items,
                     .quantization = sums.quantization / items,
                     .collaborative = sums.collaborative / items,
                     .diversity = sums.diversity / items};
  losses.total =
      losses.reconstruction +
      options_.quantization_weight * (losses.quantization + options_.letter.beta * losses.diversity) +
      options_.letter.alpha * losses.collaborative;
  return losses;
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
    restart_unused_codes(model_, optimizer_, local_, lanes_, epoch_, options_.seed, world_);
  }
  renew_clusters();
  loss_sums_ = at::zeros({kLossParts}, at::TensorOptions().device(model_.device()).dtype(at::kDouble));
}

RqvaeTrainer::Batch RqvaeTrainer::batch_of(const EpochData& data, const LaneEpoch::Step& step,
                                           std::int64_t own) const {
  const std::int64_t rows = step.mine.size();
  Batch batch;
  batch.size = step.batch();
  batch.first_row = step.first_row();
  batch.x = local_.index_select(0, data.rows.narrow(0, own, rows));
  batch.items = std::span(data.items).subspan(static_cast<std::size_t>(own), static_cast<std::size_t>(rows));
  if (cf_.defined()) {
    batch.cf = cf_.index_select(0, data.places.narrow(0, step.places.begin, step.places.size()));
  }
  if (data.draws.defined()) batch.draws = data.draws.narrow(0, own, rows);
  return batch;
}

std::optional<RqvaeEpoch> RqvaeTrainer::train_epoch(const RqvaeHooks& hooks) {
  const auto began = Clock::now();
  const std::int64_t first = step_;
  if (first == 0) begin_epoch();
  const EpochData data = data_of_epoch();
  RqvaeEpoch report;
  report.steps = static_cast<std::int64_t>(data.order.steps.size());
  std::int64_t own = 0;
  for (std::int64_t s = 0; s < report.steps; ++s) {
    const LaneEpoch::Step& next = data.order.steps[static_cast<std::size_t>(s)];
    if (s >= first) {  // the others were done before a stop
      report.lr = step(batch_of(data, next, own));
      ++step_;
      const bool asks = step_ % kStepsBetweenWishes == 0 && step_ < report.steps;
      if (asks && saves_and_stops(hooks, /*may_stop=*/true)) return std::nullopt;
    }
    own += next.mine.size();
  }
  report.losses = means_of(sums());
  check_finite(report.losses);
  last_losses_ = report.losses;
  step_ = 0;
  report.epoch = ++epoch_;
  report.seconds =
      seconds_since(began) * static_cast<double>(report.steps) / static_cast<double>(report.steps - first);
  return report;
}

bool RqvaeTrainer::saves_and_stops(const RqvaeHooks& hooks, bool may_stop) const {
  const bool stop = world_.any(may_stop && hooks.stop && hooks.stop());
  const bool due = world_.any(world_.is_root() && hooks.checkpoint_due && hooks.checkpoint_due());
  if ((stop || due) && hooks.save) {
    if (step_ > 0) check_finite(means_of(sums()));  // else an epoch has just been
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

at::Tensor RqvaeTrainer::by_item(const at::Tensor& own_rows) const {
  const at::Tensor all = gather_rows(own_rows.cpu(), world_).rows;
  return at::empty_like(all).index_copy_(0, item_of_place_, all).index_select(0, first_equal_);
}

RqvaeTrainer::Encoding RqvaeTrainer::encode_all(bool with_residuals) const {
  const EncodedRows own = model_.encode(local_);
  Encoding all;
  all.codes = by_item(own.codes);
  if (with_residuals) all.residuals = by_item(own.last_residuals);
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
  if (step_ > 0) state.sums = sums();
  state.values = arrays_of(last_.defined() ? last_ : store.flat_values(), store);
  state.exp_avg = arrays_of(optimizer_.exp_avg(), store);
  state.exp_avg_sq = arrays_of(optimizer_.exp_avg_sq(), store);
  if (best_.defined()) state.best = arrays_of(best_, store);
  state.best_score = best_score_;
  state.losses = last_losses_;
  if (clusters_) state.code_clusters = labels_array(clusters_->labels());
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
  const RqvaeLosses sums = world_.is_root() ? state.sums : RqvaeLosses();  // they are of all ranks
  loss_sums_ =
      at::tensor({sums.reconstruction, sums.quantization, sums.collaborative, sums.diversity}, at::kDouble)
          .to(model_.device());
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
    clusters_.emplace(labels_tensor(state.code_clusters), model_.device());
  }
}

}  // namespace genrec
