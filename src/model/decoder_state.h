#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

#include "nn/packed.h"

namespace genrec {

/// Keys and values of the sequences being decoded. Cross-attention's are held once a sequence,
/// self-attention's once a row and step; which rows of earlier steps a row continues is a table of indices,
/// so nothing is copied when beams are reordered.
class DecoderState {
 public:
  explicit DecoderState(PackedLayout sources) : source(std::move(sources)) {}

  PackedLayout source;
  std::vector<at::Tensor> memory;             ///< by layer: [source tokens, 2 * inner]
  std::vector<std::vector<at::Tensor>> past;  ///< by layer, then step: [rows of the step, 2 * inner]
  std::vector<std::int32_t> paths;            ///< [rows, steps]: the row of every step that leads to a row
  std::int64_t steps = 0;

  /// Row r of a new step continues row parents[r] of the step before.
  void extend_paths(std::span<const std::int32_t> parents, std::int64_t rows);
};

}  // namespace genrec
