#pragma once
#include "nn/kernels/simd.h"

namespace genrec::GENREC_ISA {

/// One row of a dropout mask.
class MaskRow {
 public:
  MaskRow(const DropoutMask& mask, std::int64_t row)
      : threshold_(mask.threshold),
        scale_(mask.scale),
        key_(threshold_ == 0 ? RowKey{0, 0} : row_key(mask.keys[row], mask.site)) {}
  /// Dropped elements become 0, the others grow by the scale. `column` counts from the row's begin.
  [[nodiscard]] V apply(V v, std::int64_t column) const {
    return threshold_ == 0 ? v : v * dropout_factor(key_, column, threshold_, scale_);
  }

 private:
  std::uint32_t threshold_;
  float scale_;
  RowKey key_;
};

template <typename T>
void fill_rows(Kernels<T>& table);
template <typename T>
void fill_attention(Kernels<T>& table);
template <typename T>
void fill_attention_step(Kernels<T>& table);
template <typename T>
void fill_softmax(Kernels<T>& table);
template <typename T>
void fill_assignment(Kernels<T>& table);

}  // namespace genrec::GENREC_ISA
