#include "cf/lightgcn.h"

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"
#include "cf/initialise.h"
#include "nn/cross_entropy.h"
#include "nn/indices.h"
#include "nn/products.h"

namespace genrec {
namespace {

/// Tables of draw_row().
constexpr std::uint64_t kItemTable = 0, kUserTable = 1;

const LightGcnOptions& checked(const LightGcnOptions& o) {
  const auto expect = [](bool holds, const char* what) {
    if (!holds) throw UsageError(std::string("LightGCN: ") + what);
  };
  expect(o.layers >= 0, "layers: expected at least 0");
  expect(o.width >= 1, "width: expected at least 1");
  expect(o.l2 >= 0, "l2: expected at least 0");
  expect(o.tau > 0, "tau: expected more than 0");
  expect(o.initial_std > 0, "initial-std: expected more than 0");
  return o;
}

/// The same on every rank for one table and row id, whatever rows a rank has.
template <typename Id>
void initialise(ParameterStore& store, std::int64_t rows, const LightGcnOptions& options, std::uint64_t table,
                const Id& id) {
  store.add("embedding", {rows, options.width}, true);
  store.allocate();
  auto* values = store.value(0).data_ptr<float>();
  for (std::int64_t row = 0; row < rows; ++row) {
    draw_row(values + row * options.width, options.width, options.initial_std, options.seed, table, id(row));
  }
}

/// Sum of -log sigmoid(score of the positive - score of the negative). Adds its gradient by `nodes` to
/// `pull`.
double bpr_loss(const NodeVectors& nodes, const InteractionBatch& batch, const NodeVectors& pull) {
  if (batch.negatives.size() != batch.positives.size()) {
    throw Error(ExitCode::kInternal, "LightGCN: the BPR loss needs one negative a sample");
  }
  const at::Tensor users = index_on(batch.rows, at::kCPU);
  const at::Tensor positives = index_on(batch.positives, at::kCPU);
  const at::Tensor negatives = index_on(batch.negatives, at::kCPU);
  const at::Tensor u = nodes.users.index_select(0, users);
  const at::Tensor difference =
      nodes.items.index_select(0, negatives) - nodes.items.index_select(0, positives);
  const at::Tensor margin = (u * difference).sum(1, /*keepdim=*/true);
  const at::Tensor slope = at::sigmoid(margin);
  const at::Tensor by_negative = slope * u;
  add_rows(pull.users, users, slope * difference);
  add_rows(pull.items, negatives, by_negative);
  add_rows(pull.items, positives, -by_negative);
  return at::softplus(margin).sum(at::kDouble).item<double>();
}

/// Sum of -log softmax(scores of all items / tau)[positive]. Adds its gradient by `nodes` to `pull`. The
/// scores [batch, items] never exist as a whole: cross_entropy() goes through them in chunks.
double softmax_loss(const NodeVectors& nodes, const InteractionBatch& batch, double tau,
                    const NodeVectors& pull) {
  const at::Tensor users = index_on(batch.rows, at::kCPU);
  at::Tensor by_user;
  const at::Tensor loss = cross_entropy(nodes.users.index_select(0, users), nodes.items, batch.positives, tau,
                                        &by_user, pull.items);
  add_rows(pull.users, users, by_user);
  return loss.item<double>();
}

double squares(const at::Tensor& x) {
  return x.square().sum(at::kDouble).item<double>();
}

}  // namespace

LightGcn::LightGcn(const Dataset& dataset, const LightGcnOptions& options, Communicator& world)
    : dataset_(dataset),
      options_(checked(options)),
      world_(world),
      graph_(dataset, world),
      users_(at::kCPU, Precision::kFloat32),
      items_(at::kCPU, Precision::kFloat32) {
  const Interactions& mine = dataset.interactions;
  initialise(users_, mine.rows(), options_, kUserTable, [&](std::int64_t row) {
    return static_cast<std::uint64_t>(mine.users[static_cast<std::size_t>(row)]);
  });
  initialise(items_, dataset.items(), options_, kItemTable,
             [](std::int64_t row) { return static_cast<std::uint64_t>(row); });
  refresh();
}

void LightGcn::refresh(std::int64_t held_out) {
  if (held_out == kHeldOut) {
    final_ = graph_.propagate(ego(), options_.layers, world_);
  } else {
    final_ = InteractionGraph(dataset_, world_, held_out).propagate(ego(), options_.layers, world_);
  }
}

/// Adds the gradients of lambda / 2 * (|u|^2 + |i|^2 [+ |j|^2]) over the samples' ego embeddings. Items'
/// embeddings are the same on every rank, so the counts are summed over ranks instead of the gradients.
double LightGcn::add_l2(const InteractionBatch& batch) {
  std::vector<std::int64_t> samples_items(batch.positives.begin(), batch.positives.end());
  samples_items.insert(samples_items.end(), batch.negatives.begin(), batch.negatives.end());
  at::Tensor counts = at::zeros({dataset_.items(), 1}, at::kFloat);
  auto* count = counts.data_ptr<float>();
  for (const std::int64_t item : samples_items) count[item] += 1;
  world_.all_reduce_sum(std::span<float>(count, static_cast<std::size_t>(counts.numel())));
  items_.gradient(0).addcmul_(items_.value(0), counts, options_.l2);
  if (batch.size() == 0) return 0;
  const at::Tensor rows = index_on(batch.rows, at::kCPU);
  const at::Tensor users = users_.value(0).index_select(0, rows);
  add_rows(users_.gradient(0), rows, users * options_.l2);
  const at::Tensor items = items_.value(0).index_select(0, index_on(samples_items, at::kCPU));
  return options_.l2 / 2 * (squares(users) + squares(items));
}

BatchLoss LightGcn::compute_gradients(const InteractionBatch& batch) {
  const NodeVectors nodes = graph_.propagate(ego(), options_.layers, world_);
  const NodeVectors pull{at::zeros_like(nodes.users), at::zeros_like(nodes.items)};
  BatchLoss loss{0, static_cast<double>(batch.size())};
  if (batch.size() > 0) {
    loss.sum = options_.loss == LightGcnLoss::kBpr ? bpr_loss(nodes, batch, pull)
                                                   : softmax_loss(nodes, batch, options_.tau, pull);
  }
  // Each rank's samples pull at all items; users are pulled by their own rank alone.
  world_.all_reduce_sum(
      std::span<float>(pull.items.data_ptr<float>(), static_cast<std::size_t>(pull.items.numel())));
  const NodeVectors gradient = graph_.propagate(pull, options_.layers, world_);
  users_.gradient(0).copy_(gradient.users);
  items_.gradient(0).copy_(gradient.items);
  if (options_.l2 > 0) loss.sum += add_l2(batch);
  return loss;
}

CfTrainReport LightGcn::train(const CfTrainHooks& hooks) {
  const InteractionBatches batches(dataset_, options_.train.batch, options_.seed);
  CfTask task;
  task.name = "LightGCN";
  task.steps_per_epoch = batches.steps_per_epoch();
  task.stores = {&users_, &items_};
  task.gradients = [&](std::int64_t epoch, std::int64_t step) {
    return compute_gradients(batches.batch(epoch, step, options_.loss == LightGcnLoss::kBpr));
  };
  task.ready_to_score = [&] { refresh(); };
  return train_collaborative(task, options_.train, hooks, world_);
}

at::Tensor LightGcn::scores(std::span<const RankerQuery> queries) const {
  std::vector<std::int64_t> rows;
  rows.reserve(queries.size());
  for (const RankerQuery& query : queries) {
    const std::int64_t row = row_of(dataset_.interactions, query.user);
    if (row < 0) {
      std::string message("LightGCN: user ");
      throw Error(ExitCode::kInternal, message + std::to_string(query.user) + " is not of this rank");
    }
    rows.push_back(row);
  }
  return linear_layer(final_.users.index_select(0, index_on(rows, at::kCPU)), final_.items);
}

}  // namespace genrec
