#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "data/embeddings.h"
#include "tokenizers/rqvae/rqvae_options.h"

namespace genrec::test {

/// Row i is the centre of cluster i mod `clusters` and small noise.
inline at::Tensor planted_points(std::int64_t rows, std::int64_t clusters, std::int64_t width,
                                 std::uint64_t seed) {
  at::Tensor points = at::empty({rows, width}, at::kFloat);
  auto* out = points.data_ptr<float>();
  for (std::int64_t i = 0; i < rows; ++i) {
    RandomStream centre(seed, Purpose::kTest, {1, static_cast<std::uint64_t>(i % clusters)});
    RandomStream noise(seed, Purpose::kTest, {2, static_cast<std::uint64_t>(i)});
    for (std::int64_t j = 0; j < width; ++j) {
      *out++ = static_cast<float>(centre.normal() + 0.2 * noise.normal());
    }
  }
  return points;
}

inline Embeddings planted_embeddings(std::int64_t rows, std::int64_t clusters, std::uint64_t seed,
                                     std::int64_t width = 16) {
  const at::Tensor points = planted_points(rows, clusters, width, seed);
  return make_embeddings({points.const_data_ptr<float>(), points.const_data_ptr<float>() + points.numel()},
                         width, "planted", "");
}

/// TIGER of a size for tests: 3 levels of 16 codes of 4 dimensions, 4 steps an epoch for 120 items.
inline RqvaeOptions planted_options() {
  RqvaeOptions options;
  options.restart_every = 0;
  options.keep_best = true;
  options.levels = 3;
  options.codes = 16;
  options.dim = 4;
  options.hidden = {32};
  options.epochs = 30;
  options.batch = 32;
  options.lr = 1e-2;
  options.eval_every = 10;
  options.letter.alpha = options.letter.beta = 0;
  return options;
}

}  // namespace genrec::test
