#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nn/weight.h"

namespace genrec {

/// The number format of matrix products; weights, reductions and norms stay float32.
enum class Precision { kFloat32, kBFloat16 };

/// All parameters of a model in one flat float32 buffer, their gradients in another, and (bf16) the copies
/// that products read in a third: the optimiser, clipping, gradient reduction and hashing are each one pass
/// over memory.
class ParameterStore {
 public:
  struct Entry {
    std::string name;  ///< Hugging Face's parameter name
    std::vector<std::int64_t> shape;
    std::int64_t offset = 0;  ///< first element in the flat buffers; entries (stacks) are 64-byte aligned
    std::int64_t count = 0;
    bool decays = true;  ///< weight decay applies (not to norms and relative position biases)
  };

  ParameterStore(at::Device device, Precision precision) : device_(device), precision_(precision) {}
  /// Declares a parameter; returns its index. Only before allocate().
  std::size_t add(std::string name, std::vector<std::int64_t> shape, bool decays);
  /// Declares matrices of equal width that lie one below the other without a gap, so that one product can use
  /// them all (see stacked_compute); returns the first one's index.
  std::size_t add_stacked(const std::vector<std::string>& names, std::vector<std::int64_t> shape);
  /// Makes the buffers, zero-filled. Gradients are made at the first gradient use.
  void allocate();

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] std::size_t index(const std::string& name) const;  ///< throws Error for an unknown name
  [[nodiscard]] const at::Tensor& value(std::size_t i) const { return values_[i]; }  ///< f32 view
  /// In the products' precision.
  [[nodiscard]] const Weight& compute(std::size_t i) const { return computes_[i]; }
  [[nodiscard]] const at::Tensor& gradient(std::size_t i);  ///< f32 view
  /// The `n` stacked matrices from entry `first` on as one, [sum of rows, columns].
  [[nodiscard]] const Weight& stacked_compute(std::size_t first, std::size_t n) const;
  [[nodiscard]] at::Tensor stacked_gradient(std::size_t first, std::size_t n);
  [[nodiscard]] at::Tensor flat_values() const { return flat_values_; }
  [[nodiscard]] at::Tensor flat_gradients();
  /// The flat bf16 copies, to be asked for each time they are written; undefined in float32.
  [[nodiscard]] at::Tensor flat_computes();
  /// After values changed: renews the copies that products read.
  void refresh_compute();
  [[nodiscard]] at::Device device() const { return device_; }
  [[nodiscard]] Precision precision() const { return precision_; }
  /// Number of parameter elements (padding left out).
  [[nodiscard]] std::int64_t parameter_count() const;

 private:
  void make_gradients();
  void forget_panels();
  std::size_t append(std::string name, std::vector<std::int64_t> shape, bool decays);
  [[nodiscard]] at::Tensor stack(const at::Tensor& flat, std::size_t first, std::size_t n) const;

  at::Device device_;
  Precision precision_;
  std::vector<Entry> entries_;
  std::int64_t total_ = 0;
  at::Tensor flat_values_, flat_gradients_, flat_computes_;
  std::vector<at::Tensor> values_, gradients_;
  std::vector<Weight> computes_;
  std::map<std::pair<std::size_t, std::size_t>, Weight> stacks_;  ///< by first entry and number
};

}  // namespace genrec
