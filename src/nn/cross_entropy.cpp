#include "nn/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "nn/kernel_call.h"
#include "nn/packed.h"
#include "nn/products.h"

namespace genrec {
namespace {

constexpr std::int64_t kRows = 256;   // of a chunk
constexpr std::int64_t kFewRows = 8;  // fewer are padded: see linear_layer()

/// Blocks of the vocabulary. Each is a task for one thread: its tile of logits [rows, tokens] stays in the
/// cache between product and softmax, and sums over blocks have a fixed order, so the number of threads
/// changes no bit.
struct Blocks {
  explicit Blocks(std::int64_t all) : vocabulary(all) {
    // Blocks of whole panels, of about 1,024 tokens; a multiple of 8 blocks, if there is one, shares out
    // evenly.
    constexpr std::int64_t kTokens = 1024, kEven = 8;
    const std::int64_t wanted = std::max<std::int64_t>(1, all / kTokens), step = wanted < kEven ? 1 : kEven;
    for (std::int64_t number = wanted / step * step; number <= 2 * wanted; number += step) {
      const std::int64_t least = (all + number - 1) / number;
      const std::int64_t whole =
          (least + MatrixKernels::kPanel - 1) / MatrixKernels::kPanel * MatrixKernels::kPanel;
      const std::int64_t blocks = (all + whole - 1) / whole;
      if (count == 0 || blocks == number) {
        tokens = whole;
        count = blocks;
      }
      if (blocks == number) break;
    }
  }
  [[nodiscard]] std::int64_t first(std::int64_t block) const { return block * tokens; }
  [[nodiscard]] std::int64_t width(std::int64_t block) const {
    return std::min(tokens, vocabulary - first(block));
  }
  [[nodiscard]] at::Tensor rows_of(const at::Tensor& table, std::int64_t block) const {
    return table.narrow(0, first(block), width(block));
  }
  [[nodiscard]] Weight rows_of(const Weight& table, std::int64_t block) const {
    return table.rows(first(block), width(block));
  }

  std::int64_t vocabulary, tokens = 0, count = 0;
};

/// Maximum and sum of exponentials by (block, row), then of whole rows.
class RowSums {
 public:
  RowSums(std::int64_t blocks, std::int64_t rows)
      : rows_(static_cast<std::size_t>(rows)),
        maximum_(static_cast<std::size_t>(blocks * rows)),
        sum_(maximum_.size()) {}
  template <typename T>
  void add(std::int64_t block, std::int64_t row, const T* logits, std::int64_t width, float factor) {
    const std::size_t i = static_cast<std::size_t>(block) * rows_ + static_cast<std::size_t>(row);
    kernels<T>().sum_exponentials(logits, width, factor, &maximum_[i], &sum_[i]);
  }
  /// Afterwards maximum() and sum() are those of the whole row.
  void join(float factor) {
    for (std::size_t r = 0; r < rows_; ++r) {
      float top = maximum_[r];
      for (std::size_t i = r; i < sum_.size(); i += rows_) top = std::max(top, maximum_[i]);
      float total = 0;
      for (std::size_t i = r; i < sum_.size(); i += rows_)
        total += sum_[i] * std::exp(factor * (maximum_[i] - top));
      maximum_[r] = top;
      sum_[r] = total;
    }
  }
  [[nodiscard]] float maximum(std::int64_t row) const { return maximum_[static_cast<std::size_t>(row)]; }
  [[nodiscard]] float sum(std::int64_t row) const { return sum_[static_cast<std::size_t>(row)]; }

 private:
  std::size_t rows_;
  std::vector<float> maximum_, sum_;
};

/// An element as float32.
float value_at(const at::Tensor& tile, std::int64_t i) {
  return tile.scalar_type() == at::kFloat ? elements<float>(tile)[i]
                                          : static_cast<float>(elements<at::BFloat16>(tile)[i]);
}
void set_at(const at::Tensor& tile, std::int64_t i, float value) {
  if (tile.scalar_type() == at::kFloat) {
    elements<float>(tile)[i] = value;
  } else {
    elements<at::BFloat16>(tile)[i] = value;
  }
}

/// Loss of a chunk of rows; with `dhidden` also the gradients.
class Chunk {
 public:
  Chunk(const at::Tensor& hidden, const Weight& weight, std::span<const TokenId> targets, double tau)
      : hidden_(hidden),
        weight_(weight),
        targets_(targets),
        rows_(hidden.size(0)),
        blocks_(weight.size(0)),
        factor_(static_cast<float>(1 / tau)),
        sums_(blocks_.count, rows_),
        target_logits_(targets.size()) {}

  /// `logits`: memory for the tiles of all blocks, kept for gradients(); without it one tile a thread is
  /// enough.
  double loss(at::Tensor* logits) {
    pack_for(hidden_, weight_);
    at::parallel_for(0, blocks_.count, 1, [&](std::int64_t begin, std::int64_t end) {
      at::Tensor own;
      if (logits == nullptr) own = at::empty({rows_ * blocks_.tokens}, hidden_.options());
      for (std::int64_t block = begin; block < end; ++block) {
        const at::Tensor tile = logits != nullptr
                                    ? tile_of(*logits, block)
                                    : own.narrow(0, 0, rows_ * blocks_.width(block)).view({rows_, -1});
        linear_layer_into(tile, hidden_, blocks_.rows_of(weight_, block));
        collect(tile, block);
      }
    });
    sums_.join(factor_);
    double total = 0;
    for (std::int64_t row = 0; row < rows_; ++row) {
      const auto below =
          static_cast<double>(target_logits_[static_cast<std::size_t>(row)] - sums_.maximum(row));
      total += std::log(static_cast<double>(sums_.sum(row))) - static_cast<double>(factor_) * below;
    }
    return total;
  }

  void gradients(at::Tensor& logits, const at::Tensor& dhidden, const at::Tensor& dweight) {
    at::Tensor parts = at::empty({blocks_.count, rows_, hidden_.size(1)}, hidden_.options());
    at::parallel_for(0, blocks_.count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block) {
        const at::Tensor tile = tile_of(logits, block), part = parts.select(0, block);
        to_gradient(tile, block);
        linear_input_gradient_into(part, tile, blocks_.rows_of(weight_, block));
        add_weight_gradient(blocks_.rows_of(dweight, block), tile, hidden_);
      }
    });
    at::Tensor total = dhidden;
    at::sum_out(total, parts, at::IntArrayRef({0}), false, at::kFloat);
  }

 private:
  [[nodiscard]] at::Tensor tile_of(const at::Tensor& logits, std::int64_t block) const {
    return logits.narrow(0, rows_ * blocks_.first(block), rows_ * blocks_.width(block)).view({rows_, -1});
  }
  void collect(const at::Tensor& tile, std::int64_t block) {
    const std::int64_t first = blocks_.first(block), width = blocks_.width(block);
    by_precision(tile, [&]<typename T>(T) {
      for (std::int64_t row = 0; row < rows_; ++row) {
        sums_.add(block, row, elements<T>(tile) + row * width, width, factor_);
        const std::int64_t target = targets_[static_cast<std::size_t>(row)] - first;
        if (target >= 0 && target < width) {
          target_logits_[static_cast<std::size_t>(row)] = value_at(tile, row * width + target);
        }
      }
    });
  }
  /// logits -> (softmax - one-hot of the target) / tau
  void to_gradient(const at::Tensor& tile, std::int64_t block) {
    const std::int64_t first = blocks_.first(block), width = blocks_.width(block);
    by_precision(tile, [&]<typename T>(T) {
      for (std::int64_t row = 0; row < rows_; ++row) {
        const float top = sums_.maximum(row), sum = sums_.sum(row);
        kernels<T>().scaled_exponentials(elements<T>(tile) + row * width, width, factor_, top, factor_ / sum);
        const std::int64_t target = targets_[static_cast<std::size_t>(row)] - first;
        if (target < 0 || target >= width) continue;
        const float p = std::exp(factor_ * (target_logits_[static_cast<std::size_t>(row)] - top)) / sum;
        set_at(tile, row * width + target, factor_ * (p - 1));
      }
    });
  }

  at::Tensor hidden_;
  Weight weight_;
  std::span<const TokenId> targets_;
  std::int64_t rows_;
  Blocks blocks_;
  float factor_;
  RowSums sums_;
  std::vector<float> target_logits_;
};

}  // namespace

at::Tensor cross_entropy(const at::Tensor& hidden, const Weight& weight, std::span<const TokenId> targets,
                         double tau, at::Tensor* dhidden, const at::Tensor& dweight) {
  if (!uses_kernels(hidden)) return cross_entropy_composite(hidden, weight, targets, tau, dhidden, dweight);
  const std::int64_t rows = hidden.size(0), vocabulary = weight.size(0);
  at::Tensor logits;
  if (dhidden != nullptr) {
    *dhidden = at::empty({rows, hidden.size(1)}, hidden.options().dtype(at::kFloat));
    logits = at::empty({std::min(kRows, rows) * vocabulary}, hidden.options());
  }
  double total = 0;
  for (std::int64_t begin = 0; begin < rows; begin += kRows) {
    const std::int64_t count = std::min(kRows, rows - begin);
    Chunk chunk(hidden.narrow(0, begin, count), weight,
                targets.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count)), tau);
    total += chunk.loss(dhidden != nullptr ? &logits : nullptr);
    if (dhidden != nullptr) chunk.gradients(logits, dhidden->narrow(0, begin, count), dweight);
  }
  return at::scalar_tensor(total, at::kDouble);
}

void log_probabilities(const at::Tensor& hidden, const Weight& weight, std::span<const std::int64_t> offsets,
                       std::span<const TokenId> candidates, std::span<float> out) {
  if (!uses_kernels(hidden)) return log_probabilities_composite(hidden, weight, offsets, candidates, out);
  const std::int64_t rows = hidden.size(0);
  const Blocks blocks(weight.size(0));
  for (std::int64_t begin = 0; begin < rows; begin += kRows) {
    const std::int64_t count = std::min(kRows, rows - begin);
    const at::Tensor h = with_rows(hidden.narrow(0, begin, count), kFewRows);
    RowSums sums(blocks.count, count);
    pack_for(h, weight);
    at::parallel_for(0, blocks.count, 1, [&](std::int64_t first_block, std::int64_t last_block) {
      at::Tensor memory = at::empty({h.size(0) * blocks.tokens}, hidden.options());
      for (std::int64_t block = first_block; block < last_block; ++block) {
        const std::int64_t first = blocks.first(block), width = blocks.width(block);
        const at::Tensor tile = memory.narrow(0, 0, h.size(0) * width).view({h.size(0), width});
        linear_layer_into(tile, h, blocks.rows_of(weight, block));
        by_precision(tile, [&]<typename T>(T) {
          for (std::int64_t row = 0; row < count; ++row) {
            sums.add(block, row, elements<T>(tile) + row * width, width, 1);
            const auto r = static_cast<std::size_t>(begin + row);
            const auto own = candidates.begin() + offsets[r], end = candidates.begin() + offsets[r + 1];
            TORCH_INTERNAL_ASSERT_DEBUG_ONLY(std::is_sorted(own, end));
            const auto last = static_cast<TokenId>(first + width);
            for (auto j = std::lower_bound(own, end, static_cast<TokenId>(first)); j != end && *j < last;
                 ++j) {
              out[static_cast<std::size_t>(j - candidates.begin())] =
                  value_at(tile, row * width + (*j - first));
            }
          }
        });
      }
    });
    sums.join(1);
    for (std::int64_t row = 0; row < count; ++row) {
      const auto r = static_cast<std::size_t>(begin + row);
      const float log_sum = sums.maximum(row) + std::log(sums.sum(row));
      for (std::int64_t j = offsets[r]; j < offsets[r + 1]; ++j) out[static_cast<std::size_t>(j)] -= log_sum;
    }
  }
}

}  // namespace genrec
