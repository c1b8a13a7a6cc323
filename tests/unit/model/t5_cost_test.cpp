#include "model/t5_cost.h"

#include <gtest/gtest.h>

#include "model/t5_model.h"

namespace genrec {
namespace {

TEST(T5Cost, CountsTheParametersOfTheModel) {
  for (const char* preset : {"tiny", "tiger", "flan-t5-small"}) {
    T5Config config = T5Config::preset(preset);
    config.vocab_size = 123;
    const T5Model model(config, at::kCPU, Precision::kFloat32);
    EXPECT_EQ(T5Cost(config).parameters(), static_cast<double>(model.parameters().parameter_count()))
        << preset;
  }
}

/// One layer each, all widths 1, no vocabulary to speak of: counted by hand.
TEST(T5Cost, CountsProductsByHand) {
  T5Config config;
  config.d_model = config.d_kv = config.d_ff = config.num_heads = config.num_layers =
      config.num_decoder_layers = 1;
  config.vocab_size = 1;
  const T5Cost cost(config);
  // A source token: q, k, v, o and two of the feed-forward network; scores and sums over 3 tokens; the keys
  // and values of the cross-attention.
  EXPECT_DOUBLE_EQ(cost.encode(3), 2 * 3 * ((4 + 2 + 2 * 3) + 2));
  // One row at first, which sees itself; then 5 beams for each of 2 tokens, which see 2 and 3: (4 + 2
  // products of attention, 2 of the network, attention over past and source), the output layer.
  const double first = 2 * ((6 + 2 + 2 * (1 + 3)) + 1), later = 2 * ((6 + 2 + 2 * (2.5 + 3)) + 1);
  EXPECT_DOUBLE_EQ(cost.search(3, 5, 2), cost.encode(3) + first + 5 * 2 * later);
  // Targets of 2 tokens see 1 and 2; three times the forward pass.
  EXPECT_DOUBLE_EQ(cost.train({3, 2}), 3 * (cost.encode(3) + 2 * 2 * ((6 + 2 + 2 * (1.5 + 3)) + 1)));
}

}  // namespace
}  // namespace genrec
