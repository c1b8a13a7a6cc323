#pragma once
#include <ATen/ATen.h>

#include <cstddef>
#include <vector>

#include "nn/parameter_store.h"

namespace genrec {

/// Leaf tensors of autograd over a ParameterStore: leaf i shares the memory of value(i), and its .grad is
/// gradient(i). backward() therefore adds to the store's flat gradients, on which AdamW, gradient_norm and
/// GradientReducer work, and a step of the optimiser is seen by the leaves at once.
///
/// Zero flat_gradients() between steps; never reset a leaf's .grad. Keeps tensors of the store, which must be
/// allocated.
class AutogradLeaves {
 public:
  explicit AutogradLeaves(ParameterStore& store);
  [[nodiscard]] const at::Tensor& operator[](std::size_t i) const { return leaves_[i]; }
  [[nodiscard]] const std::vector<at::Tensor>& all() const { return leaves_; }
  /// Throws an internal Error when some .grad is no longer the store's: gradients would be lost in silence.
  void check() const;

 private:
  std::vector<at::Tensor> leaves_, gradients_;
};

}  // namespace genrec
