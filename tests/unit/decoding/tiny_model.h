#pragma once
#include "base/random.h"
#include "model/t5_model.h"

namespace genrec::test {

/// A random T5 of 16 x 2 + 2 layers.
inline T5Config tiny_config(bool gated = false) {
  T5Config config;
  config.d_model = 16;
  config.d_kv = 6;
  config.d_ff = 28;
  config.num_layers = 2;
  config.num_decoder_layers = 2;
  config.num_heads = 2;
  config.vocab_size = 48;
  config.gated_gelu = gated;
  config.tied_head = !gated;
  return config;
}

inline PackedSequences random_sources(std::int64_t count, std::uint64_t seed) {
  PackedSequences sources;
  RandomStream random(seed, Purpose::kTest);
  for (std::int64_t s = 0; s < count; ++s) {
    const auto length = static_cast<std::int64_t>(random.below(12));
    for (std::int64_t i = 0; i < length; ++i)
      sources.tokens.push_back(3 + static_cast<TokenId>(random.below(45)));
    sources.tokens.push_back(kEndToken);
    sources.close_sequence();
  }
  return sources;
}

}  // namespace genrec::test
