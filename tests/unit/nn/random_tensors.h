#pragma once
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "nn/packed.h"

namespace genrec::test {

inline at::Tensor normal(std::initializer_list<std::int64_t> shape, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn(at::IntArrayRef(shape), generator);
}

inline double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// Sequences of these lengths with dropout keys.
inline PackedLayout layout_of(const std::vector<std::int64_t>& lengths, std::uint64_t step = 7) {
  std::vector<std::int64_t> offsets{0};
  std::vector<std::uint64_t> keys;
  for (std::int64_t n : lengths) {
    offsets.push_back(offsets.back() + n);
    keys.push_back(100 + keys.size());
  }
  PackedLayout layout(offsets, at::kCPU);
  layout.draw_keys(step, keys);
  return layout;
}

}  // namespace genrec::test
