#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "nn/kernels/matrix.h"

namespace genrec {

/// A matrix [out, in] as products read it, with what the kernels of the CPU pack of it. Copies share that.
class Weight {
 public:
  Weight() = default;
  Weight(at::Tensor matrix) : matrix_(std::move(matrix)) {}  // NOLINT: any matrix may be a factor

  operator const at::Tensor&() const { return matrix_; }  // NOLINT
  [[nodiscard]] std::int64_t size(std::int64_t side) const { return matrix_.size(side); }
  /// Panels of the transposed matrix. Made by the first call, which must not meet another's; kept until
  /// forget().
  [[nodiscard]] const at::Tensor& panels(const MatrixKernels& with) const;
  /// To be called after the matrix has changed.
  void forget() { *panels_ = at::Tensor(); }
  /// Rows [first, first + count); they share the panels that there are if `first` is a multiple of a panel's
  /// width.
  [[nodiscard]] Weight rows(std::int64_t first, std::int64_t count) const;

 private:
  at::Tensor matrix_;
  std::shared_ptr<at::Tensor> panels_ = std::make_shared<at::Tensor>();
};

}  // namespace genrec
