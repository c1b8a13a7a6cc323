#pragma once
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace genrec {

/// A finished sequence.
struct Hypothesis {
  std::vector<TokenId> tokens;  ///< without start and end token
  std::int32_t node = 0;        ///< automaton node before the end token
  float score = 0;              ///< by the rule
  float log_probability = 0;    ///< sum over the tokens, end token included
};

}  // namespace genrec
