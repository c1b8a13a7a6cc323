#include "nn/kernels/rows.h"

namespace genrec::GENREC_ISA {
namespace {

template <typename T>
Kernels<T> filled() {
  Kernels<T> table;
  fill_rows(table);
  fill_attention(table);
  fill_attention_step(table);
  fill_softmax(table);
  fill_assignment(table);
  return table;
}

}  // namespace

const Kernels<float>& float_table() {
  static const Kernels<float> table = filled<float>();
  return table;
}
const Kernels<Bf16>& bf16_table() {
  static const Kernels<Bf16> table = filled<Bf16>();
  return table;
}

}  // namespace genrec::GENREC_ISA
