#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "nn/packed.h"

namespace genrec {

/// Keys and values of beams that are decoded on the device: every sequence has the same number of rows, dead
/// ones included, so that no step waits for the host. Cross-attention's are held once a sequence;
/// self-attention's follow the beams.
struct DenseState {
  struct Layer {
    at::Tensor memory_keys;    ///< [sequences, heads, dim, longest source] float32
    at::Tensor memory_values;  ///< [sequences, heads, longest source, dim] float32
    at::Tensor past;           ///< [rows, steps, 2 * inner], undefined before the first step
  };
  std::vector<Layer> layers;
  at::Tensor padding;  ///< [sequences, 1, 1, longest source] float32: 0, or -3e38 for padding
  at::Tensor bias;     ///< [heads, most steps] float32: of the distances to earlier steps, the last is 0
  std::int64_t steps = 0;
};

}  // namespace genrec
