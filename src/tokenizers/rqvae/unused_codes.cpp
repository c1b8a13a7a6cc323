#include "tokenizers/rqvae/unused_codes.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "base/random.h"
#include "nn/indices.h"
#include "tokenizers/rqvae/gather_rows.h"
#include "tokenizers/rqvae/rqvae_streams.h"

namespace genrec {
namespace {

/// A level's codes without an item on any rank, ascending.
std::vector<std::int64_t> unused_codes(const at::Tensor& counts) {
  std::vector<std::int64_t> unused;
  const auto* count = counts.const_data_ptr<double>();
  for (std::int64_t code = 0; code < counts.numel(); ++code) {
    if (count[code] == 0) unused.push_back(code);
  }
  return unused;
}

/// `count` places of the catalogue, all of them where it has fewer.
std::vector<std::int64_t> drawn_places(std::int64_t items, std::size_t count, std::uint64_t key) {
  std::vector<std::int64_t> places(static_cast<std::size_t>(items));
  std::iota(places.begin(), places.end(), std::int64_t{0});
  RandomStream(key).shuffle(std::span(places));
  places.resize(std::min(places.size(), count));
  return places;
}

/// What the items at `places` have left at a level, [places, dim] float64 on the host: every rank fills in
/// its own, the sum is everyone's.
at::Tensor residuals_at(const RqvaeModel& model, const at::Tensor& rows, const at::Tensor& codes, Range own,
                        const std::vector<std::int64_t>& places, std::int64_t level, Communicator& world) {
  std::vector<std::int64_t> mine, at_row;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i] < own.begin || places[i] >= own.end) continue;
    mine.push_back(places[i] - own.begin);
    at_row.push_back(static_cast<std::int64_t>(i));
  }
  const at::Tensor residuals =
      at::zeros({static_cast<std::int64_t>(places.size()), model.quantizer().options().dim}, at::kDouble);
  if (!mine.empty()) {
    const at::Tensor chosen = index_on(mine, rows.device());
    const at::Tensor codes_of = codes.index_select(0, chosen);
    at::Tensor left = model.latent(rows.index_select(0, chosen));
    for (std::int64_t before = 0; before < level; ++before) {
      left = left - model.quantizer().codebook(before).index_select(0, codes_of.select(1, before));
    }
    residuals.index_copy_(0, index_on(at_row, at::kCPU), left.cpu().to(at::kDouble));
  }
  sum_over_ranks(residuals, world);
  return residuals;
}

}  // namespace

void restart_unused_codes(RqvaeModel& model, AdamW& optimizer, const at::Tensor& rows, const ItemLanes& lanes,
                          std::int64_t epoch, std::uint64_t seed, Communicator& world) {
  const at::NoGradGuard no_gradients;
  const ResidualQuantizer& quantizer = model.quantizer();
  const Range own = lanes.places_of_rank(world.rank(), world.size());
  // As exact as the training alone: this costs a tenth of it.
  const at::Tensor codes = model.encode(rows, model.parameters().precision()).codes;
  const ParameterStore::Entry& entry = model.parameters().entries()[quantizer.parameter()];
  const at::Tensor moved = quantizer.codebooks().clone();  // later levels are given what the old codes leave
  for (std::int64_t level = 0; level < quantizer.options().levels; ++level) {
    const at::Tensor counts =
        at::bincount(codes.select(1, level), {}, quantizer.options().codes).to(at::kCPU, at::kDouble);
    sum_over_ranks(counts, world);
    std::vector<std::int64_t> unused = unused_codes(counts);
    if (unused.empty()) continue;
    const std::vector<std::int64_t> places =
        drawn_places(lanes.items(), unused.size(), restart_key(seed, epoch, level));
    unused.resize(places.size());
    const at::Tensor into = index_on(unused, rows.device());
    moved.select(0, level).index_copy_(
        0, into, residuals_at(model, rows, codes, own, places, level, world).to(rows.device(), at::kFloat));
    for (const at::Tensor& flat : {optimizer.exp_avg(), optimizer.exp_avg_sq()}) {
      const at::Tensor moments = flat.narrow(0, entry.offset, entry.count).view(entry.shape);
      moments.select(0, level).index_fill_(0, into, 0);
    }
  }
  quantizer.codebooks().copy_(moved);
  model.parameters().refresh_compute();
}

}  // namespace genrec
