#pragma once
#include <ATen/ATen.h>

#include <functional>

#include "nn/packed.h"

namespace genrec {

/// What the sublayers of a stack (encoder or decoder) share during one pass over a batch.
struct StackPass {
  const PackedLayout* layout = nullptr;  ///< of the stack's own tokens
  const PackedLayout* source = nullptr;  ///< decoder: of the encoder's tokens
  double dropout = 0;
  at::ScalarType precision = at::kFloat;  ///< of matrix products
  at::Tensor bias;                        ///< relative position bias table of the stack's self-attention
  at::Tensor dbias;                       ///< backward: its gradient
  const std::function<void(std::size_t)>* on_gradient_ready = nullptr;

  [[nodiscard]] Dropout drop(DropoutSite site, std::int64_t layer) const {
    return Dropout(*layout, dropout, site, layer);
  }
  void ready(std::size_t parameter) const {
    if (on_gradient_ready != nullptr && *on_gradient_ready) (*on_gradient_ready)(parameter);
  }
};

}  // namespace genrec
