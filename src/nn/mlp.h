#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "nn/autograd_leaves.h"
#include "nn/packed.h"
#include "nn/parameter_store.h"

namespace genrec {

/// Dropout of the inputs of a Mlp's layers: masks are functions of the rows' keys.
struct MlpDropout {
  const PackedLayout* rows = nullptr;  ///< one sequence of length 1 a row, with token_keys
  double probability = 0;
  DropoutSite site = DropoutSite::kEncoderHidden;  ///< two networks of one model have sites of their own
};

/// Linear layers with ReLU between them and none after the last: y = W x + b. Products run in the store's
/// precision, to which their results are rounded; the last layer's is given as float32.
class Mlp {
 public:
  /// Declares NAME.0.weight [out, in], NAME.0.bias [out], NAME.1.weight ... in the store, which must not be
  /// allocated yet and must outlive this. `widths`: input, hidden layers, output.
  Mlp(ParameterStore& store, const std::string& name, std::vector<std::int64_t> widths);

  /// Xavier-normal weights (Glorot & Bengio 2010: variance 2 / (in + out)), biases 0. A number is a function
  /// of the seed, its parameter and its place.
  void initialise(std::uint64_t seed);
  /// x [n, in] float32 -> [n, out]. The backward pass adds its gradients to the store's, where those of the
  /// leaves lie, without a copy of its own; this must live until then. The leaves tell autograd that there is
  /// something to differentiate, also where x is data.
  [[nodiscard]] at::Tensor forward(const AutogradLeaves& leaves, const at::Tensor& x,
                                   const MlpDropout& dropout = {}) const;
  /// The same without autograd and dropout, and in float32 where nothing else is asked for, whatever the
  /// store's precision: rows that differ by little fall together in bf16. bf16 needs a store of that precision.
  [[nodiscard]] at::Tensor infer(const at::Tensor& x, Precision precision = Precision::kFloat32) const;

  [[nodiscard]] const std::vector<std::int64_t>& widths() const { return widths_; }

 private:
  friend struct MlpFunction;
  /// What the backward pass needs of each layer.
  struct Pass {
    std::vector<at::Tensor> inputs;  ///< [n, width] after dropout, in the products' precision
    std::vector<Dropout> dropouts;   ///< of these inputs
  };
  [[nodiscard]] std::size_t layers() const { return widths_.size() - 1; }
  [[nodiscard]] at::Tensor run(const at::Tensor& x, const MlpDropout& dropout, Pass& pass) const;
  /// The gradient of x, undefined where it is not wanted.
  [[nodiscard]] at::Tensor backward(const Pass& pass, const at::Tensor& gradient, bool wants_x) const;

  ParameterStore& store_;
  std::vector<std::int64_t> widths_;
  std::vector<std::size_t> weights_, biases_;  ///< places in the store
};

}  // namespace genrec
