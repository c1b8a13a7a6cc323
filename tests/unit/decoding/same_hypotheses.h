#pragma once
#include <gtest/gtest.h>

#include <vector>

#include "decoding/hypothesis.h"

namespace genrec::test {

/// The same tokens and nodes in the same order, with scores that differ by rounding.
inline void expect_same_hypotheses(const std::vector<std::vector<Hypothesis>>& found,
                                   const std::vector<std::vector<Hypothesis>>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t s = 0; s < found.size(); ++s) {
    ASSERT_EQ(found[s].size(), expected[s].size());
    for (std::size_t h = 0; h < found[s].size(); ++h) {
      EXPECT_EQ(found[s][h].tokens, expected[s][h].tokens);
      EXPECT_EQ(found[s][h].node, expected[s][h].node);
      EXPECT_NEAR(found[s][h].score, expected[s][h].score, tolerance);
      EXPECT_NEAR(found[s][h].log_probability, expected[s][h].log_probability, tolerance);
    }
  }
}

}  // namespace genrec::test
