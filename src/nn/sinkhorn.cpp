#include "nn/sinkhorn.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "nn/kernel_call.h"
#include "nn/packed.h"

namespace genrec {
namespace {

/// exp(-2 / epsilon), the least number of the matrix, must not become 0, and neither must its reciprocal
/// become infinite: a code may be that far from all rows.
constexpr double kLeastEpsilon = 0.0029;
/// Of the 50 iterations, with a margin.
constexpr double kRounding = 1e-12;
/// Rows whose column sums are made together: sums do not depend on the number of threads.
constexpr std::int64_t kRowsOfBlock = 64;
/// Numbers of the matrix that are worth a thread.
constexpr std::int64_t kNumbersOfThread = 1 << 17;

/// The plan diag(u) matrix diag(v). Turns change u and v only, not the matrix.
struct Scaling {
  at::Tensor matrix;  ///< [B, K] float64: exp(-distance / epsilon), the largest of each row is 1
  at::Tensor u, v;    ///< [B], [K] float64
  double batch = 0;   ///< B of all ranks
};

void require_epsilon(double epsilon) {
  if (epsilon >= kLeastEpsilon) return;
  std::string text = "Sinkhorn's epsilon is ";
  text += std::to_string(epsilon) + ", expected at least 0.0029; take that, or 0 at this level for the ";
  text += "nearest code";
  throw UsageError(text);
}

/// Distances are scaled by half their range over all rows. A row's own least distance is a factor that the
/// first turn would take off.
at::Tensor matrix_of(const at::Tensor& distances, double epsilon, const SinkhornRanks& ranks) {
  at::Tensor matrix = distances.detach().to(at::kDouble, /*non_blocking=*/false, /*copy=*/true).contiguous();
  at::Tensor extremes = matrix.size(0) > 0
                            ? at::stack({matrix.max(), matrix.min().neg()})
                            : at::full({2}, -std::numeric_limits<double>::infinity(), matrix.options());
  if (ranks.max_over_ranks) ranks.max_over_ranks(extremes);
  const at::Tensor amplitude = extremes.sum().div_(2).add_(1e-5);
  return matrix.sub_(matrix.amin(1, true)).mul_(amplitude.mul_(-epsilon).reciprocal_()).exp_();
}

double batch_of(const at::Tensor& matrix, const SinkhornRanks& ranks) {
  const auto rows = static_cast<double>(matrix.size(0));
  if (!ranks.sum_over_ranks) return rows;
  at::Tensor sum = at::full({1}, rows, matrix.options());
  ranks.sum_over_ranks(sum);
  return sum.item<double>();
}

void turn_by_operations(Scaling& s, const SinkhornRanks& ranks) {
  s.u = at::mv(s.matrix, s.v).mul_(s.batch).reciprocal_();
  at::Tensor columns = at::mv(s.matrix.t(), s.u);
  if (ranks.sum_over_ranks) ranks.sum_over_ranks(columns);
  s.v = columns.mul_(s.matrix.size(1)).reciprocal_();
}

/// The same on the CPU, where each turn reads the matrix once.
class KernelTurns {
 public:
  explicit KernelTurns(const Scaling& s)
      : rows_(s.matrix.size(0)),
        codes_(s.matrix.size(1)),
        blocks_((rows_ + kRowsOfBlock - 1) / kRowsOfBlock),
        sums_(static_cast<std::size_t>(blocks_ * codes_)),
        columns_(at::empty({codes_}, s.v.options())) {}

  void turn(Scaling& s, const SinkhornRanks& ranks) {
    const std::int64_t grain =
        std::max<std::int64_t>(1, kNumbersOfThread / (kRowsOfBlock * std::max<std::int64_t>(1, codes_)));
    std::fill(sums_.begin(), sums_.end(), 0.0);
    at::parallel_for(0, blocks_, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t first = block * kRowsOfBlock;
        kernels<float>().sinkhorn_sweep(elements<double>(s.matrix) + first * codes_, elements<double>(s.v),
                                        1 / s.batch, elements<double>(s.u) + first,
                                        sums_.data() + block * codes_, std::min(kRowsOfBlock, rows_ - first),
                                        codes_);
      }
    });
    auto* column = elements<double>(columns_);
    std::fill(column, column + codes_, 0.0);
    for (std::int64_t block = 0; block < blocks_; ++block) {
      for (std::int64_t k = 0; k < codes_; ++k) {
        column[k] += sums_[static_cast<std::size_t>(block * codes_ + k)];
      }
    }
    if (ranks.sum_over_ranks) ranks.sum_over_ranks(columns_);
    column = elements<double>(columns_);
    auto* v = elements<double>(s.v);
    for (std::int64_t k = 0; k < codes_; ++k) v[k] = 1 / (static_cast<double>(codes_) * column[k]);
  }

 private:
  std::int64_t rows_, codes_, blocks_;
  std::vector<double> sums_;  ///< [blocks, codes]
  at::Tensor columns_;
};

Scaling scaling_of(const at::Tensor& distances, const SinkhornOptions& options, const SinkhornRanks& ranks) {
  require_epsilon(options.epsilon);
  Scaling s;
  s.matrix = matrix_of(distances, options.epsilon, ranks);
  s.batch = batch_of(s.matrix, ranks);
  s.u = at::ones({s.matrix.size(0)}, s.matrix.options());
  s.v = at::ones({s.matrix.size(1)}, s.matrix.options());
  if (!uses_kernels(s.matrix)) {
    for (std::int64_t i = 0; i < options.iterations; ++i) turn_by_operations(s, ranks);
    return s;
  }
  KernelTurns turns(s);
  for (std::int64_t i = 0; i < options.iterations; ++i) turns.turn(s, ranks);
  return s;
}

/// The first place of a row where matrix * v is largest; u is the same all along it.
std::int64_t largest_place(const double* row, const double* v, std::int64_t codes) {
  double largest = -std::numeric_limits<double>::infinity();
  for (std::int64_t k = 0; k < codes; ++k) largest = std::max(largest, row[k] * v[k]);
  const double enough = largest * (1 - kRounding);
  for (std::int64_t k = 0; k < codes; ++k) {
    if (row[k] * v[k] >= enough) return k;
  }
  return 0;
}

}  // namespace

at::Tensor sinkhorn_plan(const at::Tensor& distances, const SinkhornOptions& options,
                         const SinkhornRanks& ranks) {
  const Scaling s = scaling_of(distances, options, ranks);
  return at::mul(s.matrix, s.v).mul_((s.u * s.batch).unsqueeze(1));
}

at::Tensor sinkhorn_codes(const at::Tensor& distances, const SinkhornOptions& options,
                          const SinkhornRanks& ranks) {
  const Scaling s = scaling_of(distances, options, ranks);
  if (!uses_kernels(s.matrix)) {
    const at::Tensor plan = at::mul(s.matrix, s.v);
    const at::Tensor is_largest = plan.ge(plan.amax(1, true).mul_(1 - kRounding));
    return is_largest.to(at::kInt).argmax(1);
  }
  const std::int64_t codes = s.matrix.size(1);
  at::Tensor places = at::empty({s.matrix.size(0)}, s.matrix.options().dtype(at::kLong));
  parallel_rows(s.matrix.size(0), codes, [&](std::int64_t begin, std::int64_t count) {
    for (std::int64_t row = begin; row < begin + count; ++row) {
      elements<std::int64_t>(places)[row] =
          largest_place(elements<double>(s.matrix) + row * codes, elements<double>(s.v), codes);
    }
  });
  return places;
}

}  // namespace genrec
