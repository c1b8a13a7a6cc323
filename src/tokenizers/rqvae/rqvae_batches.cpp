#include "tokenizers/rqvae/rqvae_batches.h"

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "nn/indices.h"
#include "tokenizers/rqvae/code_clusters.h"
#include "tokenizers/rqvae/codebook_start.h"
#include "tokenizers/rqvae/gather_rows.h"
#include "tokenizers/rqvae/rqvae_streams.h"

namespace genrec {
namespace {

/// Rows of some items, in their order, on the device.
at::Tensor rows_on(const Embeddings& table, std::span<const ItemId> items, at::Device device) {
  at::Tensor host = at::empty({static_cast<std::int64_t>(items.size()), table.width}, at::kFloat);
  auto* out = host.data_ptr<float>();
  for (const ItemId item : items) {
    const auto row = table.row(item);
    out = std::copy(row.begin(), row.end(), out);
  }
  return host.to(device);
}

std::span<const ItemId> items_at(const ItemLanes& lanes, Range places) {
  return std::span(lanes.item_of_place())
      .subspan(static_cast<std::size_t>(places.begin), static_cast<std::size_t>(places.size()));
}

}  // namespace

RqvaeBatches::RqvaeBatches(const Embeddings& embeddings, const Embeddings* cf, const RqvaeOptions& options,
                           const Communicator& world, at::Device device)
    : options_(options),
      rank_(world.rank()),
      ranks_(world.size()),
      lanes_(embeddings.rows, options.batch, options.seed),
      own_places_(lanes_.places_of_rank(rank_, ranks_)),
      device_(device),
      own_rows_(rows_on(embeddings, items_at(lanes_, own_places_), device)),
      item_of_place_(index_on(lanes_.item_of_place(), at::kCPU)),
      first_equal_(index_on(first_equal_rows(embeddings), at::kCPU)) {
  if (options.letter.alpha > 0) cf_ = rows_on(*cf, lanes_.item_of_place(), device);
}

at::Tensor RqvaeBatches::start_rows() const {
  std::vector<std::int64_t> places;
  const std::int64_t sample = most_constrained_rows(options_.codes);
  if (options_.init == "kmeans" && lanes_.lanes() >= options_.codes) {
    const LaneEpoch order = lanes_.epoch(0, rank_, ranks_);
    const Range first = order.steps.front().places;
    places.assign(order.places.begin() + first.begin, order.places.begin() + first.end);
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
  return own_rows_.index_select(0, index_on(places, device_));
}

RqvaeEpochData RqvaeBatches::epoch(std::int64_t number) const {
  RqvaeEpochData data;
  data.order = lanes_.epoch(number, rank_, ranks_);
  std::vector<std::int64_t> rows, items;
  rows.reserve(static_cast<std::size_t>(own_places_.size()));
  for (const LaneEpoch::Step& step : data.order.steps) {
    data.first_own.push_back(static_cast<std::int64_t>(rows.size()));
    for (std::int64_t i = step.mine.begin; i < step.mine.end; ++i) {
      const std::int64_t place = data.order.places[static_cast<std::size_t>(i)];
      rows.push_back(place - own_places_.begin);
      items.push_back(lanes_.item_of_place()[static_cast<std::size_t>(place)]);
    }
  }
  data.rows = index_on(rows, device_);
  if (cf_.defined()) data.places = index_on(data.order.places, device_);
  if (options_.letter.beta > 0) {
    data.draws = positive_draws(items, options_.levels, positives_key(options_.seed, number)).to(device_);
  }
  data.items.assign(items.begin(), items.end());
  return data;
}

RqvaeBatch RqvaeBatches::batch(const RqvaeEpochData& epoch, std::int64_t step) const {
  const LaneEpoch::Step& places = epoch.order.steps[static_cast<std::size_t>(step)];
  const std::int64_t own = epoch.first_own[static_cast<std::size_t>(step)], rows = places.mine.size();
  RqvaeBatch batch;
  batch.size = places.batch();
  batch.first_row = places.first_row();
  batch.x = own_rows_.index_select(0, epoch.rows.narrow(0, own, rows));
  batch.items = std::span(epoch.items).subspan(static_cast<std::size_t>(own), static_cast<std::size_t>(rows));
  if (cf_.defined()) {
    batch.cf = cf_.index_select(0, epoch.places.narrow(0, places.places.begin, places.places.size()));
  }
  if (epoch.draws.defined()) batch.draws = epoch.draws.narrow(0, own, rows);
  return batch;
}

at::Tensor RqvaeBatches::by_item(const at::Tensor& own, Communicator& world) const {
  const at::Tensor all = gather_rows(own.cpu(), world).rows;
  return at::empty_like(all).index_copy_(0, item_of_place_, all).index_select(0, first_equal_);
}

}  // namespace genrec
