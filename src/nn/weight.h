#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "nn/kernels/matrix.h"

namespace genrec {

/// A matrix [out, in] as products read it, with what the kernels of the CPU pack of it. Copies share that;
/// any threads may use it at the same time.
class Weight {
 public:
  Weight() = default;
  Weight(at::Tensor matrix) : matrix_(std::move(matrix)) {}  // NOLINT: any matrix may be a factor

  operator const at::Tensor&() const { return matrix_; }  // NOLINT
  [[nodiscard]] std::int64_t size(std::int64_t side) const { return matrix_.size(side); }
  /// Panels of the transposed matrix, made by the first call and kept until forget().
  [[nodiscard]] at::Tensor panels(const MatrixKernels& with) const;
  /// To be called before the matrix changes; parts of it that rows() made are of no use afterwards.
  void forget();
  /// Rows [first, first + count). Where these are whole panels, the part shares those that have been made.
  [[nodiscard]] Weight rows(std::int64_t first, std::int64_t count) const;

 private:
  struct Panels {
    std::mutex mutex;
    at::Tensor made;
  };
  at::Tensor matrix_;
  std::shared_ptr<Panels> panels_ = std::make_shared<Panels>();
};

}  // namespace genrec
