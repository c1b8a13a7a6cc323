#include "tokenizers/rqvae/code_clusters.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "nn/constrained_kmeans.h"

namespace genrec {
namespace {

constexpr std::int64_t kMostLeast = 10;  ///< the lower bound of a cluster is never more
constexpr std::int64_t kMostTimes = 6;   ///< the upper bound, in lower bounds
constexpr std::int64_t kIterations = 10, kStarts = 10;

}  // namespace

ClusterBounds cluster_bounds(std::int64_t codes, std::int64_t clusters) {
  ClusterBounds bounds;
  bounds.clusters = std::max<std::int64_t>(1, std::min(clusters, codes / 2));
  bounds.size_min = std::max<std::int64_t>(2, std::min(codes / (2 * bounds.clusters), kMostLeast));
  const std::int64_t share = (codes + bounds.clusters - 1) / bounds.clusters;
  bounds.size_max = std::min(codes, std::max(kMostTimes * bounds.size_min, 2 * share));
  return bounds;
}

CodeClusters::CodeClusters(const at::Tensor& labels, at::Device device) : labels_(labels.contiguous()) {
  const std::int64_t levels = labels_.size(0), size = labels_.size(1);
  const auto longs = at::TensorOptions().dtype(at::kLong);
  at::Tensor sorted = at::empty({levels * size}, longs), begin = at::empty({levels * size}, longs),
             place = at::empty({levels * size}, longs);
  at::Tensor others = at::empty({levels * size}, longs.dtype(at::kDouble));
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  for (std::int64_t level = 0; level < levels; ++level) {
    const std::int64_t base = level * size;
    const auto* label = labels_.const_data_ptr<std::int64_t>() + base;
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [label](std::int64_t a, std::int64_t b) { return label[a] < label[b]; });
    for (std::int64_t first = 0, last = 0; first < size; first = last) {
      const std::int64_t cluster = label[order[static_cast<std::size_t>(first)]];
      while (last < size && label[order[static_cast<std::size_t>(last)]] == cluster) ++last;
      if (last - first < 2) {
        throw Error(ExitCode::kInternal, "diversity loss: a cluster of a single code has no positive");
      }
      for (std::int64_t i = first; i < last; ++i) {
        const std::int64_t code = base + order[static_cast<std::size_t>(i)];
        sorted.data_ptr<std::int64_t>()[base + i] = code - base;
        begin.data_ptr<std::int64_t>()[code] = base + first;
        place.data_ptr<std::int64_t>()[code] = i - first;
        others.data_ptr<double>()[code] = static_cast<double>(last - first - 1);
      }
    }
  }
  sorted_ = sorted.to(device);
  begin_ = begin.to(device);
  place_ = place.to(device);
  others_ = others.to(device);
  levels_ = at::arange(levels, longs).mul_(size).to(device);
}

at::Tensor CodeClusters::positives(const at::Tensor& codes, const at::Tensor& uniform) const {
  const at::Tensor flat = (codes + levels_).view({-1});
  // u < 1 times n never rounds up to n: the place is one of the others', counted without the own one.
  const at::Tensor drawn = others_.index_select(0, flat).mul_(uniform.view({-1})).to(at::kLong);
  const at::Tensor skips = drawn.ge(place_.index_select(0, flat));
  const at::Tensor at_place = begin_.index_select(0, flat).add_(drawn).add_(skips);
  return sorted_.index_select(0, at_place).view_as(codes);
}

at::Tensor cluster_codes(const at::Tensor& codebooks, std::int64_t clusters, std::uint64_t key) {
  const at::NoGradGuard no_gradients;
  const at::Tensor host = codebooks.detach().cpu().contiguous();
  const ClusterBounds bounds = cluster_bounds(host.size(1), clusters);
  KMeansOptions options;
  options.clusters = bounds.clusters;
  options.max_iterations = kIterations;
  options.restarts = kStarts;
  std::vector<at::Tensor> labels(static_cast<std::size_t>(host.size(0)));
  // Points are few: a level a thread, instead of threads within operations.
  at::parallel_for(0, host.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t level = begin; level < end; ++level) {
      labels[static_cast<std::size_t>(level)] =
          constrained_kmeans(host.select(0, level), options, {bounds.size_min, bounds.size_max},
                             mix64(key ^ static_cast<std::uint64_t>(level)))
              .labels;
    }
  });
  return at::stack(labels, 0);
}

at::Tensor positive_draws(const std::vector<std::int64_t>& items, std::int64_t levels, std::uint64_t key) {
  at::Tensor draws = at::empty({static_cast<std::int64_t>(items.size()), levels}, at::kDouble);
  auto* out = draws.data_ptr<double>();
  for (const std::int64_t item : items) {
    RandomStream stream(mix64(key ^ mix64(static_cast<std::uint64_t>(item))));
    for (std::int64_t level = 0; level < levels; ++level) *out++ = stream.uniform();
  }
  return draws;
}

}  // namespace genrec
