#include "nn/lloyd.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "nn/indices.h"
#include "nn/kernel_call.h"
#include "nn/packed.h"

namespace genrec {
namespace {

constexpr std::int64_t kNumbersOfBlock = std::int64_t{1} << 22;
/// ATen sums so many numbers in one thread: what is one number a row (inertia) is rounded alike by any number
/// of threads. Sums of whole blocks of rows (the means of all points) are not.
constexpr std::int64_t kMaxRowsOfBlock = std::int64_t{1} << 14;

/// Calls work(begin, count) for blocks of rows.
template <typename Work>
void for_blocks(std::int64_t rows, std::int64_t width, const Work& work) {
  const std::int64_t step = rows_of_block(width);
  for (std::int64_t begin = 0; begin < rows; begin += step) work(begin, std::min(step, rows - begin));
}

/// Mean over the columns of their variance.
double mean_variance(const at::Tensor& points) {
  const at::Tensor means = column_means(points);
  double total = 0;
  for_blocks(points.size(0), points.size(1), [&](std::int64_t begin, std::int64_t count) {
    total += (points.narrow(0, begin, count) - means).square_().sum(at::kDouble).item<double>();
  });
  return total / static_cast<double>(points.numel());
}

}  // namespace

std::vector<std::int64_t> distinct_rows(const at::Tensor& points, std::int64_t limit) {
  std::unordered_set<std::string> seen;
  std::vector<std::int64_t> places;
  const auto bytes = static_cast<std::size_t>(points.size(1)) * sizeof(float);
  const std::int64_t step = rows_of_block(points.size(1));
  for (std::int64_t begin = 0; begin < points.size(0); begin += step) {
    const std::int64_t count = std::min(step, points.size(0) - begin);
    // Adding 0 makes the two zeros one.
    const at::Tensor rows = points.narrow(0, begin, count).add(0).to(at::kCPU).contiguous();
    const char* row = reinterpret_cast<const char*>(rows.const_data_ptr<float>());
    for (std::int64_t i = 0; i < count; ++i, row += bytes) {
      if (!seen.emplace(row, bytes).second) continue;
      places.push_back(begin + i);
      if (std::ssize(places) == limit) return places;
    }
  }
  return places;
}

namespace {

/// A place, with probabilities in proportion to the weights [n] float32; any when all are 0.
std::int64_t draw_by_weight(const at::Tensor& weights, RandomStream& random) {
  const at::Tensor host = weights.to(at::kCPU).contiguous();
  const float* weight = host.const_data_ptr<float>();
  const std::int64_t n = host.size(0);
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) total += static_cast<double>(weight[i]);
  if (!(total > 0)) return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n)));
  const double target = random.uniform() * total;
  double sum = 0;
  std::int64_t drawn = 0;
  for (std::int64_t i = 0; i < n && sum <= target; ++i) {
    if (!(weight[i] > 0)) continue;
    sum += static_cast<double>(weight[i]);
    drawn = i;
  }
  return drawn;
}

ClusterSums cluster_sums_by_loop(const at::Tensor& points, const at::Tensor& labels, std::int64_t clusters) {
  const std::int64_t n = points.size(0), d = points.size(1);
  ClusterSums result{at::zeros({clusters, d}, at::kDouble), at::zeros({clusters}, at::kLong)};
  const float* point = points.const_data_ptr<float>();
  const auto* label = labels.const_data_ptr<std::int64_t>();
  auto* sums = result.sums.data_ptr<double>();
  auto* counts = result.counts.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < n; ++i, point += d) {
    double* sum = sums + label[i] * d;
    for (std::int64_t j = 0; j < d; ++j) sum[j] += static_cast<double>(point[j]);
    ++counts[label[i]];
  }
  return result;
}

/// Moves the centres to the means of their clusters, but for empty ones; the sum of the squared moves.
double move_to_means(at::Tensor& centres, const ClusterSums& sums) {
  if (!uses_kernels(centres)) {
    const at::Tensor counts = sums.counts.unsqueeze(1);
    const at::Tensor means =
        at::where(counts.gt(0), (sums.sums / counts.clamp_min(1)).to(at::kFloat), centres);
    const double shift = (means - centres).square_().sum(at::kDouble).item<double>();
    centres = means;
    return shift;
  }
  // Of few numbers, again and again: a loop is faster than operations.
  at::Tensor means = centres.clone();
  auto* mean = means.data_ptr<float>();
  const auto* sum = sums.sums.const_data_ptr<double>();
  const auto* counts = sums.counts.const_data_ptr<std::int64_t>();
  const std::int64_t d = centres.size(1);
  double shift = 0;
  for (std::int64_t c = 0; c < centres.size(0); ++c) {
    if (counts[c] == 0) continue;
    for (std::int64_t j = c * d; j < (c + 1) * d; ++j) {
      const auto now = static_cast<float>(sum[j] / static_cast<double>(counts[c]));
      const double move = static_cast<double>(now) - static_cast<double>(mean[j]);
      shift += move * move;
      mean[j] = now;
    }
  }
  centres = means;
  return shift;
}

/// Four sums side by side: they need not wait for each other.
float squared_distance(const float* a, const float* b, std::int64_t d) {
  constexpr std::int64_t kSums = 4;
  float sums[kSums] = {};
  std::int64_t j = 0;
  for (; j + kSums <= d; j += kSums) {
    for (std::int64_t s = 0; s < kSums; ++s) sums[s] += (a[j + s] - b[j + s]) * (a[j + s] - b[j + s]);
  }
  for (; j < d; ++j) sums[0] += (a[j] - b[j]) * (a[j] - b[j]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

double inertia_of(const at::Tensor& points, const at::Tensor& centres, const at::Tensor& labels) {
  const at::Tensor distances = squared_distances_to_own(points, centres, labels);
  double total = 0;
  for_blocks(points.size(0), 1, [&](std::int64_t begin, std::int64_t count) {
    total += distances.narrow(0, begin, count).sum().item<double>();
  });
  return total;
}

KMeansResult lloyd(const at::Tensor& points, at::Tensor centres, const KMeansOptions& options,
                   double max_shift, const ClusterAssigner& assign, bool refills_empty) {
  KMeansResult result;
  at::Tensor labels;
  bool is_settled = false;
  while (result.iterations < options.max_iterations) {
    ++result.iterations;
    const at::Tensor next = assign(centres);
    // Then the centres are the means of these very clusters.
    is_settled = labels.defined() && at::equal(next, labels);
    if (is_settled) break;
    labels = next;
    const ClusterSums sums = cluster_sums(points, labels, options.clusters);
    if (refills_empty) refill_empty_clusters(points, centres, labels, sums);
    if (move_to_means(centres, sums) <= max_shift) break;
  }
  result.labels = is_settled ? labels : assign(centres);
  result.inertia = inertia_of(points, centres, result.labels);
  result.centres = std::move(centres);
  return result;
}

}  // namespace

std::int64_t rows_of_block(std::int64_t width) {
  return std::clamp(kNumbersOfBlock / std::max<std::int64_t>(width, 1), std::int64_t{1}, kMaxRowsOfBlock);
}

std::int64_t require_points(const at::Tensor& points, const KMeansOptions& options) {
  if (points.dim() != 2 || points.size(1) < 1 || points.scalar_type() != at::kFloat)
    throw Error(ExitCode::kInternal, "k-means needs float32 points [n, d]");
  if (options.clusters < 1 || options.max_iterations < 1 || options.restarts < 1)
    throw UsageError("k-means needs at least 1 cluster, 1 iteration and 1 run");
  const std::int64_t n = points.size(0);
  if (n < options.clusters) {
    std::string text = "k-means: ";
    text += std::to_string(n) + " points cannot fill " + std::to_string(options.clusters);
    text += " clusters; take fewer clusters or more points";
    throw DataError(text);
  }
  std::int64_t bad = 0, first = 0;
  for_blocks(n, points.size(1), [&](std::int64_t begin, std::int64_t count) {
    const at::Tensor is_bad = at::isfinite(points.narrow(0, begin, count)).all(1).logical_not();
    const auto found = is_bad.sum().item<std::int64_t>();
    if (bad == 0 && found > 0) first = begin + is_bad.to(at::kInt).argmax().item<std::int64_t>();
    bad += found;
  });
  if (bad > 0) {
    std::string text = "k-means: ";
    text += std::to_string(bad) + " of " + std::to_string(n) + " points hold NaN or infinity, first point ";
    text += std::to_string(first) + "; look for them in the embeddings, or lower the learning rate";
    throw DataError(text);
  }
  return std::ssize(distinct_rows(points, options.clusters));
}

at::Tensor column_means(const at::Tensor& points) {
  at::Tensor total = at::zeros({points.size(1)}, points.options().dtype(at::kDouble));
  for_blocks(points.size(0), points.size(1), [&](std::int64_t begin, std::int64_t count) {
    total.add_(points.narrow(0, begin, count).sum(0, false, at::kDouble));
  });
  return total.div_(points.size(0)).to(at::kFloat);
}

at::Tensor squared_distances(const at::Tensor& points, const at::Tensor& point) {
  if (uses_kernels(points)) {
    const at::Tensor rows = points.contiguous(), to = point.contiguous();
    const std::int64_t d = rows.size(1);
    at::Tensor distances = at::empty({rows.size(0)}, rows.options());
    const float *row = elements<float>(rows), *other = elements<float>(to);
    auto* out = elements<float>(distances);
    parallel_rows(rows.size(0), d, [=](std::int64_t begin, std::int64_t count) {
      for (std::int64_t i = begin; i < begin + count; ++i) out[i] = squared_distance(row + i * d, other, d);
    });
    return distances;
  }
  constexpr std::int64_t kByDifferences = 2;  // products would not give 0 for equal points
  return at::cdist(points, point, 2.0, kByDifferences).squeeze(1).square();
}

at::Tensor squared_distances_to_own(const at::Tensor& points, const at::Tensor& centres,
                                    const at::Tensor& labels) {
  const at::Tensor result = at::empty({points.size(0)}, points.options().dtype(at::kDouble));
  for_blocks(points.size(0), points.size(1), [&](std::int64_t begin, std::int64_t count) {
    at::Tensor difference =
        points.narrow(0, begin, count) - centres.index_select(0, labels.narrow(0, begin, count));
    result.narrow(0, begin, count).copy_(difference.square_().sum(1, false, at::kDouble));
  });
  return result;
}

at::Tensor plus_plus_seeds(const at::Tensor& points, std::int64_t clusters, RandomStream& random) {
  const std::int64_t n = points.size(0);
  std::vector<std::int64_t> seeds{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n)))};
  at::Tensor nearest = at::full({n}, std::numeric_limits<float>::infinity(), points.options());
  while (static_cast<std::int64_t>(seeds.size()) < clusters) {
    nearest = at::minimum(nearest, squared_distances(points, points.narrow(0, seeds.back(), 1)));
    seeds.push_back(draw_by_weight(nearest, random));
  }
  return points.index_select(0, index_on(seeds, points.device()));
}

ClusterSums cluster_sums(const at::Tensor& points, const at::Tensor& labels, std::int64_t clusters) {
  return points.is_cpu() ? cluster_sums_by_loop(points, labels, clusters)
                         : cluster_sums_by_product(points, labels, clusters);
}

ClusterSums cluster_sums_by_product(const at::Tensor& points, const at::Tensor& labels,
                                    std::int64_t clusters) {
  const at::TensorOptions float64 = points.options().dtype(at::kDouble);
  at::Tensor sums = at::zeros({clusters, points.size(1)}, float64), counts = at::zeros({clusters}, float64);
  const at::Tensor codes = at::arange(clusters, labels.options());
  for_blocks(points.size(0), clusters, [&](std::int64_t begin, std::int64_t count) {
    const at::Tensor belongs = labels.narrow(0, begin, count).unsqueeze(1).eq(codes).to(at::kDouble);
    sums.addmm_(belongs.t(), points.narrow(0, begin, count).to(at::kDouble));
    counts.add_(belongs.sum(0));
  });
  return {sums, counts.to(at::kLong)};
}

void refill_empty_clusters(const at::Tensor& points, const at::Tensor& centres, const at::Tensor& labels,
                           const ClusterSums& sums) {
  const at::Tensor empty = at::nonzero(sums.counts.eq(0)).flatten().to(at::kCPU);
  if (empty.size(0) == 0) return;
  at::Tensor distances = squared_distances_to_own(points, centres, labels).to(at::kFloat);
  for (std::int64_t e = 0; e < empty.size(0); ++e) {
    const at::Tensor is_alone = sums.counts.index_select(0, labels).le(1);
    const at::Tensor farthest = distances.masked_fill(is_alone, 0).argmax();
    const auto row = farthest.item<std::int64_t>();
    if (is_alone[row].item<bool>() || !(distances[row].item<float>() > 0)) return;
    const auto cluster = empty[e].item<std::int64_t>(), before = labels[row].item<std::int64_t>();
    const at::Tensor point = points.narrow(0, row, 1);
    sums.sums.narrow(0, before, 1).sub_(point);
    sums.sums.narrow(0, cluster, 1).copy_(point);
    sums.counts.narrow(0, before, 1).sub_(1);
    sums.counts.narrow(0, cluster, 1).fill_(1);
    labels.narrow(0, row, 1).fill_(cluster);
    distances = at::minimum(distances, squared_distances(points, point));
  }
}

KMeansResult best_of_restarts(const at::Tensor& points, const KMeansOptions& options, std::uint64_t key,
                              const std::function<ClusterAssigner()>& make_assigner, bool refills_empty) {
  const double max_shift = options.tolerance * mean_variance(points);
  std::vector<KMeansResult> runs(static_cast<std::size_t>(options.restarts));
  const auto make = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t run = begin; run < end; ++run) {
      RandomStream random(key, Purpose::kClustering, {static_cast<std::uint64_t>(run)});
      runs[static_cast<std::size_t>(run)] = lloyd(points, plus_plus_seeds(points, options.clusters, random),
                                                  options, max_shift, make_assigner(), refills_empty);
    }
  };
  // A run a thread; a single one leaves the threads to its operations.
  if (points.is_cpu() && options.restarts > 1) {
    at::parallel_for(0, options.restarts, 1, make);
  } else {
    make(0, options.restarts);
  }
  return std::move(
      *std::min_element(runs.begin(), runs.end(),
                        [](const KMeansResult& a, const KMeansResult& b) { return a.inertia < b.inertia; }));
}

}  // namespace genrec
