#include "optim/adamw.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "nn/packed.h"

namespace genrec {
namespace {

constexpr std::int64_t kBlock = 1 << 15;

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

/// By ATen operations on whole buffers, on any device: what lies between the entries is 0 and stays 0.
void AdamW::composite_step(const AdamWStep& s, double decay_rate) {
  const at::Tensor value = store_.flat_values();
  if (!decays_.defined()) {
    at::Tensor host = at::zeros({value.numel()}, at::kFloat);
    for (const Stretch& stretch : stretches_) {
      if (stretch.decays) host.narrow(0, stretch.range.begin, stretch.range.size()).fill_(1);
    }
    decays_ = host.to(value.device());
  }
  const at::Tensor g = store_.flat_gradients() * s.gradient_scale;
  exp_avg_.lerp_(g, 1.0 - static_cast<double>(s.beta1));
  exp_avg_sq_.mul_(s.beta2).addcmul_(g, g, 1.0 - static_cast<double>(s.beta2));
  const at::Tensor denominator = exp_avg_sq_.sqrt().mul_(s.root_correction).add_(s.epsilon);
  value.addcmul_(value, decays_, -decay_rate).addcdiv_(exp_avg_, denominator, -s.step_size);
  store_.refresh_compute();
}

void AdamW::step(double learning_rate, double gradient_scale) {
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double decay_rate = learning_rate * options_.weight_decay;
  AdamWStep s{};
  s.gradient_scale = static_cast<float>(gradient_scale);
  s.beta1 = static_cast<float>(options_.beta1);
  s.beta2 = static_cast<float>(options_.beta2);
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
  for (const Stretch& stretch : stretches_) {
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
