#include "optim/adamw.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "nn/packed.h"

namespace genrec {
namespace {

constexpr std::int64_t kBlock = 1 << 15;
constexpr double kSmallestScale = 1e-3;

/// In float64 over blocks of fixed size: the number of threads changes nothing.
double blocked_sum_of_squares(const float* x, std::int64_t count) {
  const std::int64_t blocks = (count + kBlock - 1) / kBlock;
  std::vector<double> sums(static_cast<std::size_t>(blocks));
  at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      sums[static_cast<std::size_t>(b)] =
          sum_of_squares(x + b * kBlock, std::min(kBlock, count - b * kBlock));
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

AdamW::AdamW(ParameterStore& store, const AdamWOptions& options)
    : store_(store),
      options_(options),
      exp_avg_(at::zeros_like(store.flat_values())),
      exp_avg_sq_(at::zeros_like(store.flat_values())) {
  for (const ParameterStore::Entry& entry : store.entries()) {
    const Range range{entry.offset, entry.offset + entry.count};
    const bool joins =
        !options.scale_parameter && !stretches_.empty() && stretches_.back().decays == entry.decays;
    if (joins) {
      stretches_.back().range.end = range.end;
    } else {
      stretches_.push_back({range, entry.decays});
    }
  }
}

double AdamW::parameter_scale(const Range& range) const {
  if (!options_.scale_parameter) return 1;
  const float* values = store_.flat_values().const_data_ptr<float>() + range.begin;
  const double mean = blocked_sum_of_squares(values, range.size()) / static_cast<double>(range.size());
  return std::max(kSmallestScale, std::sqrt(mean));
}

/// The same for every element, by ATen operations; those between the entries get the one before's.
at::Tensor AdamW::parameter_scales() const {
  std::vector<at::Tensor> means;
  for (const Stretch& stretch : stretches_) {
    means.push_back(
        store_.flat_values().narrow(0, stretch.range.begin, stretch.range.size()).square().mean());
  }
  const at::Tensor scales = at::stack(means).sqrt_().clamp_min_(kSmallestScale);
  return at::repeat_interleave(scales, lengths_, /*dim=*/0, /*output_size=*/store_.flat_values().numel());
}

/// By ATen operations on whole buffers, on any device: what lies between the entries is 0 and stays 0.
void AdamW::composite_step(const AdamWStep& s, double decay_rate) {
  const at::Tensor value = store_.flat_values();
  if (!decays_.defined()) {
    at::Tensor host = at::zeros({value.numel()}, at::kFloat);
    for (const Stretch& stretch : stretches_) {
      if (stretch.decays) host.narrow(0, stretch.range.begin, stretch.range.size()).fill_(1);
    }
    decays_ = host.to(value.device());
    at::Tensor lengths = at::empty({static_cast<std::int64_t>(stretches_.size())}, at::kLong);
    for (std::size_t i = 0; i < stretches_.size(); ++i) {
      const std::int64_t end = i + 1 < stretches_.size() ? stretches_[i + 1].range.begin : value.numel();
      lengths.data_ptr<std::int64_t>()[i] = end - stretches_[i].range.begin;
    }
    lengths_ = lengths.to(value.device());
  }
  const at::Tensor g = store_.flat_gradients() * s.gradient_scale;
  exp_avg_.lerp_(g, s.one_minus_beta1);
  exp_avg_sq_.mul_(s.beta2).addcmul_(g, g, s.one_minus_beta2);
  const at::Tensor denominator = exp_avg_sq_.sqrt().mul_(s.root_correction).add_(s.epsilon);
  const at::Tensor direction = options_.scale_parameter ? exp_avg_ * parameter_scales() : exp_avg_;
  value.addcmul_(value, decays_, -decay_rate).addcdiv_(direction, denominator, -s.step_size);
  store_.refresh_compute();
}

void AdamW::step(double learning_rate, double gradient_scale) {
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double decay_rate = learning_rate * options_.weight_decay;
  AdamWStep s{};
  s.gradient_scale = static_cast<float>(gradient_scale);
  s.one_minus_beta1 = static_cast<float>(1 - options_.beta1);
  s.beta2 = static_cast<float>(options_.beta2);
  s.one_minus_beta2 = static_cast<float>(1 - options_.beta2);
  s.step_size = static_cast<float>(learning_rate / (1 - std::pow(options_.beta1, t)));
  s.root_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.beta2, t)));
  s.epsilon = static_cast<float>(options_.epsilon);
  const at::Tensor values = store_.flat_values(), gradients = store_.flat_gradients();
  if (!uses_kernels(values)) return composite_step(s, decay_rate);
  const at::Tensor copies = store_.flat_computes();
  auto* value = values.data_ptr<float>();
  const auto* gradient = gradients.const_data_ptr<float>();
  auto *m = exp_avg_.data_ptr<float>(), *v = exp_avg_sq_.data_ptr<float>();
  auto* copy = copies.defined() ? static_cast<std::uint16_t*>(copies.data_ptr()) : nullptr;
  const double step_size = learning_rate / (1 - std::pow(options_.beta1, t));
  for (const Stretch& stretch : stretches_) {
    s.step_size = static_cast<float>(step_size * parameter_scale(stretch.range));
    s.decay = stretch.decays ? static_cast<float>(1 - decay_rate) : 1.0f;
    at::parallel_for(stretch.range.begin, stretch.range.end, kBlock,
                     [&](std::int64_t begin, std::int64_t stop) {
                       adamw_update(s, value + begin, gradient + begin, m + begin, v + begin, stop - begin);
                       if (copy != nullptr) to_bfloat16(value + begin, copy + begin, stop - begin);
                     });
  }
}

double gradient_norm(ParameterStore& store) {
  const at::Tensor gradients = store.flat_gradients();
  if (!gradients.is_cpu()) return std::sqrt(gradients.square().sum(at::kDouble).item<double>());
  return std::sqrt(blocked_sum_of_squares(gradients.const_data_ptr<float>(), gradients.numel()));
}

}  // namespace genrec
