#include "nn/weight.h"

#include "nn/kernel_call.h"

namespace genrec {

const at::Tensor& Weight::panels(const MatrixKernels& with) const {
  if (panels_->defined()) return *panels_;
  const std::int64_t depth = matrix_.size(1), columns = matrix_.size(0), ld = matrix_.stride(0);
  const at::Tensor made = at::empty({MatrixKernels::packed_size(depth, columns)}, matrix_.options());
  parallel_steps(columns, MatrixKernels::kPanel, 8 * MatrixKernels::kPanel * depth,
                 [&](std::int64_t first, std::int64_t count) {
                   with.pack_transposed(elements<Bf16>(matrix_) + first * ld, ld, depth, count,
                                        elements<Bf16>(made) + depth * first);
                 });
  *panels_ = made;
  return *panels_;
}

Weight Weight::rows(std::int64_t first, std::int64_t count) const {
  Weight part(matrix_.narrow(0, first, count));
  const auto ends_panel = [&](std::int64_t row) {
    return row % MatrixKernels::kPanel == 0 || row == matrix_.size(0);
  };
  if (panels_->defined() && ends_panel(first) && ends_panel(first + count)) {
    const std::int64_t depth = matrix_.size(1);
    *part.panels_ = panels_->narrow(0, depth * first, MatrixKernels::packed_size(depth, count));
  }
  return part;
}

}  // namespace genrec
