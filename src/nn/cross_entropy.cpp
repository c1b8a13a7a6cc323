#include "nn/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "nn/kernel_call.h"
#include "nn/packed.h"
#include "nn/products.h"

namespace genrec {
namespace {

constexpr std::int64_t kLossRows = 256;   // a chunk's logits of 33,000 tokens take 34 MB
constexpr std::int64_t kScoreRows = 256;  // a tile of scores should stay in the L2 cache ...
constexpr std::int64_t kScoreTokens = 1024;

at::Tensor index_of(std::span<const TokenId> tokens, at::Device device) {
  at::Tensor index = at::empty({static_cast<std::int64_t>(tokens.size())}, at::kLong);
  std::copy(tokens.begin(), tokens.end(), index.data_ptr<std::int64_t>());
  return index.to(device);
}

/// Loss of a chunk; the logits become their gradient when asked for.
double chunk_loss(at::Tensor& logits, std::span<const TokenId> targets, double tau, bool gradient) {
  const std::int64_t rows = logits.size(0), n = logits.size(1);
  if (!uses_kernels(logits)) {
    const at::Tensor index = index_of(targets, logits.device()).unsqueeze(1);
    const at::Tensor log_p = at::log_softmax(logits.to(at::kFloat) / tau, -1);
    const double loss = -log_p.gather(1, index).sum(at::kDouble).item<double>();
    if (gradient) {
      at::Tensor d = log_p.exp();
      d.scatter_add_(1, index, at::full_like(index, -1, d.options()));
      logits = d.div_(tau).to(logits.scalar_type());
    }
    return loss;
  }
  std::vector<double> losses(static_cast<std::size_t>(rows));
  by_precision(logits, [&]<typename T>(T) {
    at::parallel_for(0, rows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto r = static_cast<std::size_t>(row);
        losses[r] = kernels<T>().cross_entropy(elements<T>(logits) + row * n, n, targets[r],
                                               static_cast<float>(tau), gradient);
      }
    });
  });
  double total = 0;
  for (double loss : losses) total += loss;
  return total;
}

}  // namespace

double cross_entropy(const at::Tensor& hidden, const at::Tensor& weight, std::span<const TokenId> targets,
                     double tau, at::Tensor* dhidden, const at::Tensor& dweight) {
  const std::int64_t rows = hidden.size(0);
  if (dhidden != nullptr) *dhidden = at::empty({rows, hidden.size(1)}, hidden.options().dtype(at::kFloat));
  double total = 0;
  at::Tensor logits;
  for (std::int64_t begin = 0; begin < rows; begin += kLossRows) {
    const std::int64_t count = std::min(kLossRows, rows - begin);
    const at::Tensor h = hidden.narrow(0, begin, count);
    logits = linear_layer(h, weight);
    const auto chunk = targets.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
    total += chunk_loss(logits, chunk, tau, dhidden != nullptr);
    if (dhidden == nullptr) continue;
    add_weight_gradient(dweight, logits, h);
    dhidden->narrow(0, begin, count).copy_(linear_input_gradient(logits, weight));
  }
  return total;
}

void log_probabilities(const at::Tensor& hidden, const at::Tensor& weight,
                       std::span<const std::int64_t> offsets, std::span<const TokenId> candidates,
                       std::span<float> out) {
  const std::int64_t rows = hidden.size(0), vocabulary = weight.size(0);
  if (!uses_kernels(hidden)) {
    for (std::int64_t begin = 0; begin < rows; begin += kLossRows) {
      const std::int64_t end = std::min(rows, begin + kLossRows);
      const auto first = offsets[static_cast<std::size_t>(begin)],
                 last = offsets[static_cast<std::size_t>(end)];
      if (first == last) continue;
      const at::Tensor log_p =
          at::log_softmax(linear_layer(hidden.narrow(0, begin, end - begin), weight).to(at::kFloat), -1);
      at::Tensor place = at::empty({last - first}, at::kLong);
      auto* p = place.data_ptr<std::int64_t>();
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::int64_t j = offsets[static_cast<std::size_t>(row)];
             j < offsets[static_cast<std::size_t>(row) + 1]; ++j) {
          *p++ = (row - begin) * vocabulary + candidates[static_cast<std::size_t>(j)];
        }
      }
      const at::Tensor chosen = log_p.flatten().index_select(0, place.to(hidden.device())).to(at::kCPU);
      std::copy_n(chosen.const_data_ptr<float>(), last - first, out.begin() + first);
    }
    return;
  }
  std::vector<float> maximum(static_cast<std::size_t>(rows), -3.0e38f),
      sum(static_cast<std::size_t>(rows), 0.0f);
  for (std::int64_t begin = 0; begin < rows; begin += kScoreRows) {
    const std::int64_t count = std::min(kScoreRows, rows - begin);
    const at::Tensor h = hidden.narrow(0, begin, count);
    at::Tensor logits = at::empty({count, std::min(kScoreTokens, vocabulary)}, hidden.options());
    for (std::int64_t first = 0; first < vocabulary; first += kScoreTokens) {
      const std::int64_t width = std::min(kScoreTokens, vocabulary - first);
      if (width != logits.size(1)) logits = at::empty({count, width}, hidden.options());
      at::mm_out(logits, h, weight.narrow(0, first, width).t());
      by_precision(logits, [&]<typename T>(T) {
        parallel_rows(count, width * 8, [&](std::int64_t r0, std::int64_t some) {
          for (std::int64_t row = r0; row < r0 + some; ++row) {
            const auto r = static_cast<std::size_t>(begin + row);
            const T* line = elements<T>(logits) + row * width;
            kernels<T>().sum_exponentials(line, width, &maximum[r], &sum[r]);
            for (std::int64_t j = offsets[r]; j < offsets[r + 1]; ++j) {
              const std::int64_t token = candidates[static_cast<std::size_t>(j)] - first;
              if (token < 0 || token >= width) continue;
              if constexpr (std::is_same_v<T, float>) {
                out[static_cast<std::size_t>(j)] = line[token];
              } else {
                out[static_cast<std::size_t>(j)] = elements<at::BFloat16>(logits)[row * width + token];
              }
            }
          }
        });
      });
    }
  }
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    const float log_sum = maximum[r] + std::log(sum[r]);
    for (std::int64_t j = offsets[r]; j < offsets[r + 1]; ++j) out[static_cast<std::size_t>(j)] -= log_sum;
  }
}

}  // namespace genrec
