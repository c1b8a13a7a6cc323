#include "optim/adamw.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "optim/adamw_kernel.h"

namespace genrec {
namespace {

constexpr std::int64_t kBlock = 1 << 15;

/// The step for tensors of any device.
void composite(const AdamWStep& s, at::Tensor value, const at::Tensor& gradient, at::Tensor first,
               at::Tensor second) {
  const at::Tensor g = gradient * s.gradient_scale;
  first.lerp_(g, 1.0 - static_cast<double>(s.beta1));
  second.mul_(s.beta2).addcmul_(g, g, 1.0 - static_cast<double>(s.beta2));
  const at::Tensor denominator = second.sqrt().mul_(s.root_correction).add_(s.epsilon);
  value.mul_(s.decay).addcdiv_(first, denominator, -s.step_size);
}

}  // namespace

AdamW::AdamW(ParameterStore& store, const AdamWOptions& options)
    : store_(store),
      options_(options),
      exp_avg_(at::zeros_like(store.flat_values())),
      exp_avg_sq_(at::zeros_like(store.flat_values())) {
  for (const ParameterStore::Entry& entry : store.entries()) {
    const Range range{entry.offset, entry.offset + entry.count};
    if (!stretches_.empty() && stretches_.back().decays == entry.decays) {
      stretches_.back().range.end = range.end;
    } else {
      stretches_.push_back({range, entry.decays});
    }
  }
}

void AdamW::step(double learning_rate, double gradient_scale) {
  ++steps_;
  const auto t = static_cast<double>(steps_);
  AdamWStep s{};
  s.gradient_scale = static_cast<float>(gradient_scale);
  s.beta1 = static_cast<float>(options_.beta1);
  s.beta2 = static_cast<float>(options_.beta2);
  s.step_size = static_cast<float>(learning_rate / (1 - std::pow(options_.beta1, t)));
  s.root_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.beta2, t)));
  s.epsilon = static_cast<float>(options_.epsilon);
  const at::Tensor values = store_.flat_values(), gradients = store_.flat_gradients();
  const at::Tensor copies = store_.flat_computes();
  for (const Stretch& stretch : stretches_) {
    s.decay = stretch.decays ? static_cast<float>(1 - learning_rate * options_.weight_decay) : 1.0f;
    const auto [first, end] = stretch.range;
    if (!values.is_cpu()) {
      const auto part = [&, from = first, n = stretch.range.size()](const at::Tensor& t_) {
        return t_.narrow(0, from, n);
      };
      composite(s, part(values), part(gradients), part(exp_avg_), part(exp_avg_sq_));
      continue;
    }
    auto* value = values.data_ptr<float>();
    const auto* gradient = gradients.const_data_ptr<float>();
    auto *m = exp_avg_.data_ptr<float>(), *v = exp_avg_sq_.data_ptr<float>();
    auto* copy = copies.defined() ? static_cast<std::uint16_t*>(copies.data_ptr()) : nullptr;
    at::parallel_for(first, end, kBlock, [&](std::int64_t begin, std::int64_t stop) {
      adamw_update(s, value + begin, gradient + begin, m + begin, v + begin, stop - begin);
      if (copy != nullptr) to_bfloat16(value + begin, copy + begin, stop - begin);
    });
  }
}

double gradient_norm(ParameterStore& store) {
  const at::Tensor gradients = store.flat_gradients();
  if (!gradients.is_cpu()) return std::sqrt(gradients.square().sum(at::kDouble).item<double>());
  const auto* g = gradients.const_data_ptr<float>();
  const std::int64_t count = gradients.numel(), blocks = (count + kBlock - 1) / kBlock;
  std::vector<double> sums(static_cast<std::size_t>(blocks));
  at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      sums[static_cast<std::size_t>(b)] =
          sum_of_squares(g + b * kBlock, std::min(kBlock, count - b * kBlock));
    }
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return std::sqrt(total);
}

}  // namespace genrec
