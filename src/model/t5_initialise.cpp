#include <ATen/Parallel.h>

#include <cmath>

#include "base/random.h"
#include "model/new_rows.h"
#include "model/t5_impl.h"

namespace genrec {
namespace {

/// Standard deviation of T5's initialisation of a matrix; < 0: a norm, filled with the factor.
double deviation(const std::string& name, const T5Config& c) {
  const auto ends = [&](const char* suffix) { return name.ends_with(suffix); };
  const double model = std::pow(static_cast<double>(c.d_model), -0.5);
  if (ends("layer_norm.weight")) return -1;
  if (ends(".q.weight")) return model * std::pow(static_cast<double>(c.d_kv), -0.5);
  if (ends(".o.weight")) return std::pow(static_cast<double>(c.inner()), -0.5);
  if (ends(".wo.weight")) return std::pow(static_cast<double>(c.d_ff), -0.5);
  if (name == "shared.weight" || name == "lm_head.weight") return 1;
  return model;  // k, v, wi, relative position bias
}

}  // namespace

void T5Model::initialise(std::uint64_t seed) {
  Impl& m = *impl_;
  const double factor = m.config.initializer_factor;
  for (std::size_t i = 0; i < m.store.entries().size(); ++i) {
    const ParameterStore::Entry& entry = m.store.entries()[i];
    const double std = deviation(entry.name, m.config);
    at::Tensor value = at::full(entry.shape, factor, at::kFloat);
    if (std >= 0) {
      auto* out = value.data_ptr<float>();
      const std::int64_t width = entry.shape.back(), rows = entry.count / width;
      at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          RandomStream stream(seed, Purpose::kInitialisation, {i, static_cast<std::uint64_t>(row)});
          for (std::int64_t j = 0; j < width; ++j) {
            out[row * width + j] = static_cast<float>(factor * std * stream.normal());
          }
        }
      });
    }
    at::Tensor to = m.store.value(i);
    to.copy_(value);
  }
  m.store.refresh_compute();
}

void draw_new_rows(at::Tensor table, std::int64_t known, const at::Tensor& existing, std::uint64_t seed,
                   std::uint64_t which) {
  const at::Tensor old = existing.to(at::kCPU).to(at::kDouble);
  const at::Tensor mean = old.mean(0), deviation = old.std(0, false);
  const auto* mu = mean.const_data_ptr<double>();
  const auto* sigma = deviation.const_data_ptr<double>();
  const std::int64_t width = table.size(1);
  at::Tensor fresh = at::empty({table.size(0) - known, width}, at::kFloat);
  auto* out = fresh.data_ptr<float>();
  for (std::int64_t row = 0; row < fresh.size(0); ++row) {
    RandomStream stream(seed, Purpose::kVocabularyGrowth, {which, static_cast<std::uint64_t>(known + row)});
    for (std::int64_t j = 0; j < width; ++j) {
      *out++ = static_cast<float>(mu[j] + 0.02 * sigma[j] * stream.normal());
    }
  }
  table.narrow(0, known, fresh.size(0)).copy_(fresh);
}

std::unique_ptr<T5Model> grow_vocabulary(const T5Model& model, std::int64_t new_size, std::uint64_t seed) {
  T5Config config = model.config();
  const std::int64_t known = config.vocab_size;
  config.vocab_size = new_size;
  auto grown = std::make_unique<T5Model>(config, model.parameters().device(), model.parameters().precision());
  ParameterStore& store = grown->parameters();
  for (std::size_t i = 0; i < store.entries().size(); ++i) {
    const at::Tensor from = model.parameters().value(i);
    at::Tensor to = store.value(i);
    if (from.sizes() == to.sizes()) {
      to.copy_(from);
    } else {
      const std::int64_t kept = std::min(known, new_size);
      to.narrow(0, 0, kept).copy_(from.narrow(0, 0, kept));
      if (new_size > known)
        draw_new_rows(to, known, from, seed, store.entries()[i].name == "lm_head.weight" ? 1 : 0);
    }
  }
  store.refresh_compute();
  return grown;
}

}  // namespace genrec
