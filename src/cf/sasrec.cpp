#include "cf/sasrec.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "cf/initialise.h"
#include "nn/autograd_ops.h"
#include "nn/cross_entropy.h"
#include "nn/indices.h"
#include "nn/products.h"
#include "optim/gradient_reducer.h"

namespace genrec {
namespace {

constexpr double kNormEpsilon = 1e-8;

void check(const SasRecOptions& o, std::int64_t items) {
  const auto expect = [](bool holds, const char* what) {
    if (!holds) throw UsageError(std::string("SASRec: ") + what);
  };
  expect(items > 0, "the catalogue has no item");
  expect(o.layers >= 1, "layers: expected at least 1");
  expect(o.heads >= 1 && o.width >= 1 && o.width % o.heads == 0, "width: expected a multiple of heads");
  expect(o.inner >= 1, "inner: expected at least 1");
  expect(o.history >= 1, "history: expected at least 1");
  const auto is_probability = [](double p) { return p >= 0 && p < 1; };
  expect(is_probability(o.dropout), "dropout: expected 0 or more and less than 1");
  expect(is_probability(o.attention_dropout), "attention-dropout: expected 0 or more and less than 1");
  expect(o.initial_std > 0, "initial-std: expected more than 0");
}

}  // namespace

SasRec::SasRec(std::int64_t items, const SasRecOptions& options, at::Device device)
    : items_(items), options_(options), store_(device, Precision::kFloat32) {
  check(options, items);
  declare_parameters();
  store_.allocate();
  initialise();
}

void SasRec::declare_parameters() {
  const std::int64_t w = options_.width;
  const auto affine = [&](const std::string& name, std::vector<std::int64_t> shape, bool is_norm) {
    Affine made;
    const std::int64_t outputs = shape.front();
    made.weight = store_.add(name + ".weight", std::move(shape), !is_norm);
    made.bias = store_.add(name + ".bias", {outputs}, false);
    return made;
  };
  item_embedding_ = store_.add("item_embedding.weight", {items_, w}, true);
  position_embedding_ = store_.add("position_embedding.weight", {options_.history, w}, true);
  norm_ = affine("norm", {w}, true);
  for (std::int64_t i = 0; i < options_.layers; ++i) {
    std::string prefix("layers.");
    prefix += std::to_string(i) + ".";
    Layer layer;
    // No biases here, as in the paper; that of the keys would have no effect at all.
    layer.qkv = store_.add(prefix + "attention.qkv.weight", {3 * w, w}, true);
    layer.out = affine(prefix + "attention.out", {w, w}, false);
    layer.attention_norm = affine(prefix + "attention_norm", {w}, true);
    layer.inner = affine(prefix + "inner", {options_.inner, w}, false);
    layer.outer = affine(prefix + "outer", {w, options_.inner}, false);
    layer.feed_forward_norm = affine(prefix + "feed_forward_norm", {w}, true);
    layers_.push_back(layer);
  }
}

void SasRec::initialise() {
  for (std::size_t i = 0; i < store_.entries().size(); ++i) {
    const ParameterStore::Entry& entry = store_.entries()[i];
    at::Tensor value = at::zeros(entry.shape, at::kFloat);
    if (entry.shape.size() > 1) {
      const std::int64_t width = entry.shape.back();
      for (std::int64_t row = 0; row < entry.shape.front(); ++row) {
        draw_row(value.data_ptr<float>() + row * width, width, options_.initial_std, options_.seed, i,
                 static_cast<std::uint64_t>(row));
      }
    } else if (entry.name.ends_with("norm.weight")) {
      value.fill_(1);
    }
    store_.value(i).copy_(value);
  }
}

std::vector<at::Tensor> SasRec::values() const {
  std::vector<at::Tensor> all;
  for (std::size_t i = 0; i < store_.entries().size(); ++i) all.push_back(store_.value(i));
  return all;
}

std::vector<std::int64_t> SasRec::positions_of(const SequenceBatch& batch) const {
  std::vector<std::int64_t> positions;
  positions.reserve(batch.items.size());
  for (std::size_t s = 0; s + 1 < batch.offsets.size(); ++s) {
    const std::int64_t length = batch.offsets[s + 1] - batch.offsets[s];
    if (length > options_.history) {
      throw Error(ExitCode::kInternal, "SASRec: a sequence is longer than the history of the model");
    }
    const std::int64_t first = options_.positions_from_end ? options_.history - length : 0;
    for (std::int64_t i = 0; i < length; ++i) positions.push_back(first + i);
  }
  return positions;
}

at::Tensor SasRec::embedded(const std::vector<at::Tensor>& p, const SequenceBatch& batch) const {
  const at::Tensor items = at::embedding(p[item_embedding_], index_on(batch.items, store_.device()));
  const at::Tensor places =
      at::embedding(p[position_embedding_], index_on(positions_of(batch), store_.device()));
  // Without a norm the paper's factor brings items to the size of what the layers add.
  if (options_.pre_norm) return items * std::sqrt(static_cast<double>(options_.width)) + places;
  return normalised(p, norm_, items + places);
}

at::Tensor SasRec::normalised(const std::vector<at::Tensor>& p, const Affine& norm,
                              const at::Tensor& x) const {
  return at::layer_norm(x, {options_.width}, p[norm.weight], p[norm.bias], kNormEpsilon);
}

at::Tensor SasRec::attended(const std::vector<at::Tensor>& p, const Layer& layer, const at::Tensor& x,
                            const PackedLayout& layout, const Dropout& dropout) const {
  AttentionSpec spec;
  spec.queries = spec.keys = &layout;
  spec.heads = options_.heads;
  spec.causal = true;
  spec.dropout = dropout;
  const double scale = 1 / std::sqrt(static_cast<double>(options_.width / options_.heads));
  const at::Tensor mixed = packed_self_attention(at::linear(x, p[layer.qkv]), spec, scale);
  return at::linear(mixed, p[layer.out.weight], p[layer.out.bias]);
}

at::Tensor SasRec::forward(const std::vector<at::Tensor>& p, const SequenceBatch& batch,
                           const PackedLayout& layout, bool drops) const {
  const bool pre = options_.pre_norm;
  const double dropout = drops ? options_.dropout : 0;
  const double attention_dropout = drops ? options_.attention_dropout : 0;
  at::Tensor x =
      dropped(embedded(p, batch), Dropout(layout, dropout, DropoutSite::kDecoderEmbedding, /*layer=*/0));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const auto mask = [&](double probability, DropoutSite site) {
      return Dropout(layout, probability, site, static_cast<std::int64_t>(i));
    };
    const auto sublayer = [&](const Affine& norm, DropoutSite site, const auto& f) {
      const at::Tensor y = x + dropped(f(pre ? normalised(p, norm, x) : x), mask(dropout, site));
      x = pre ? y : normalised(p, norm, y);
    };
    sublayer(layer.attention_norm, DropoutSite::kDecoderSelfOutput, [&](const at::Tensor& y) {
      return attended(p, layer, y, layout, mask(attention_dropout, DropoutSite::kDecoderSelf));
    });
    sublayer(layer.feed_forward_norm, DropoutSite::kDecoderFeedForward, [&](const at::Tensor& y) {
      const at::Tensor inner = at::gelu(at::linear(y, p[layer.inner.weight], p[layer.inner.bias]));
      return at::linear(inner, p[layer.outer.weight], p[layer.outer.bias]);
    });
  }
  return pre ? normalised(p, norm_, x) : x;
}

at::Tensor SasRec::hidden_states(const SequenceBatch& batch) const {
  const PackedLayout layout(batch.offsets, store_.device());
  return forward(values(), batch, layout, /*drops=*/false);
}

BatchLoss SasRec::accumulate_gradients(const SequenceBatch& batch, std::optional<std::uint64_t> dropout_key) {
  if (!leaves_) leaves_.emplace(store_);
  if (batch.positions() == 0) return {};
  PackedLayout layout(batch.offsets, store_.device());
  if (dropout_key) {
    const std::vector<std::uint64_t> users(batch.users.begin(), batch.users.end());
    layout.draw_keys(*dropout_key, users);
  }
  const at::Tensor hidden = forward(leaves_->all(), batch, layout, dropout_key.has_value());
  const double loss = options_.loss == SasRecLoss::kCrossEntropy ? backward_cross_entropy(hidden, batch)
                                                                 : backward_binary(hidden, batch);
  leaves_->check();
  return {loss, static_cast<double>(batch.positions())};
}

/// The logits [positions, items] never exist as a whole, nor in autograd's graph: cross_entropy() goes
/// through them in chunks and returns the gradient of the hidden states.
double SasRec::backward_cross_entropy(const at::Tensor& hidden, const SequenceBatch& batch) {
  at::Tensor dhidden;
  const at::Tensor loss = cross_entropy(hidden.detach(), store_.value(item_embedding_), batch.targets,
                                        /*tau=*/1, &dhidden, store_.gradient(item_embedding_));
  hidden.backward(dhidden);
  return loss.item<double>();
}

double SasRec::backward_binary(const at::Tensor& hidden, const SequenceBatch& batch) {
  if (batch.negatives.size() != batch.targets.size()) {
    throw Error(ExitCode::kInternal, "SASRec: the binary loss needs one negative a position");
  }
  const at::Tensor& table = (*leaves_)[item_embedding_];
  const auto logit = [&](const std::vector<ItemId>& items) {
    return (hidden * at::embedding(table, index_on(items, store_.device()))).sum(1);
  };
  const at::Tensor loss = (at::softplus(-logit(batch.targets)) + at::softplus(logit(batch.negatives))).sum();
  loss.backward();
  return loss.item<double>();
}

CfTrainReport SasRec::train(const Dataset& dataset, const CfTrainHooks& hooks, Communicator& world,
                            DeviceReducer* device_sums) {
  if (dataset.items() != items_) {
    throw Error(ExitCode::kInternal, "SASRec: the model was made for another number of items");
  }
  const SequenceBatches batches(dataset, options_.history, options_.train.batch, options_.seed);
  GradientReducer reducer(store_, world, device_sums);
  CfTask task;
  task.name = "SASRec";
  task.steps_per_epoch = batches.steps_per_epoch();
  task.stores = {&store_};
  task.gradients = [&](std::int64_t epoch, std::int64_t step) {
    store_.flat_gradients().zero_();
    const SequenceBatch batch = batches.batch(epoch, step, options_.loss == SasRecLoss::kBinary);
    const std::uint64_t key =
        stream_key(options_.seed, Purpose::kDropout,
                   {static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(step)});
    reducer.begin();
    const BatchLoss loss = accumulate_gradients(batch, key);
    reducer.finish();
    return loss;
  };
  return train_collaborative(task, options_.train, hooks, world);
}

at::Tensor SasRec::scores(std::span<const RankerQuery> queries) const {
  SequenceBatch batch;
  std::vector<std::int64_t> rows, last;
  for (const RankerQuery& query : queries) {
    const auto length = std::min(query.history.size(), static_cast<std::size_t>(options_.history));
    if (length > 0) rows.push_back(batch.sequences());
    batch.append(query.user, query.history.last(length));
    if (length > 0) last.push_back(batch.positions() - 1);
  }
  const at::Tensor& table = store_.value(item_embedding_);
  at::Tensor states = at::zeros({batch.sequences(), options_.width}, table.options());
  if (!rows.empty()) {
    states.index_copy_(0, index_on(rows, store_.device()),
                       hidden_states(batch).index_select(0, index_on(last, store_.device())));
  }
  return linear_layer(states, table);
}

at::Tensor SasRec::item_embeddings() const {
  return store_.value(item_embedding_).to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace genrec
