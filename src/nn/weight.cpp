#include "nn/weight.h"

#include "nn/kernel_call.h"

namespace genrec {

at::Tensor Weight::panels(const MatrixKernels& with) const {
  const std::scoped_lock lock(panels_->mutex);
  at::Tensor& made = panels_->made;
  if (made.defined()) return made;
  const std::int64_t depth = matrix_.size(1), columns = matrix_.size(0), ld = matrix_.stride(0);
  made = at::empty({MatrixKernels::packed_size(depth, columns)}, matrix_.options());
  parallel_steps(columns, MatrixKernels::kPanel, 8 * MatrixKernels::kPanel * depth,
                 [&](std::int64_t first, std::int64_t count) {
                   with.pack_transposed(elements<Bf16>(matrix_) + first * ld, ld, depth, count,
                                        elements<Bf16>(made) + depth * first);
                 });
  return made;
}

void Weight::forget() {
  const std::scoped_lock lock(panels_->mutex);
  panels_->made.reset();
}

Weight Weight::rows(std::int64_t first, std::int64_t count) const {
  Weight part(matrix_.narrow(0, first, count));
  const auto ends_panel = [&](std::int64_t row) {
    return row % MatrixKernels::kPanel == 0 || row == matrix_.size(0);
  };
  if (!ends_panel(first) || !ends_panel(first + count)) return part;
  const std::scoped_lock lock(panels_->mutex);
  if (panels_->made.defined()) {
    const std::int64_t depth = matrix_.size(1);
    part.panels_->made = panels_->made.narrow(0, depth * first, MatrixKernels::packed_size(depth, count));
  }
  return part;
}

}  // namespace genrec
