#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "decoding/token_automaton.h"

namespace genrec {

/// A TokenAutomaton's arrays on a device, for searches that do not come back to the host.
struct DeviceAutomaton {
  DeviceAutomaton(const TokenAutomaton& automaton, at::Device device);

  at::Tensor begin;                  ///< [nodes + 1] int64
  at::Tensor token;                  ///< [edges] int64
  at::Tensor target;                 ///< [edges] int64, TokenAutomaton::kFinal after the end token
  std::vector<std::int64_t> widest;  ///< by step: most edges of a node that can be reached in so many steps
};

}  // namespace genrec
