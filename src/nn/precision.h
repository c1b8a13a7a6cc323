#pragma once
#include <ATen/ATen.h>

#include <string>

#include "nn/parameter_store.h"

namespace genrec {

/// What products run in when `wanted` is asked for: bf16 needs a CPU with AVX512-BF16 or AMX, or a GPU of
/// `compute_capability` 80 (10 * major + minor); elsewhere it would be slower than float32, which is taken.
[[nodiscard]] Precision effective_precision(Precision wanted, at::Device device, int compute_capability = 0);
/// One line for a warning when effective_precision differs from `wanted`; empty when it does not.
[[nodiscard]] std::string precision_warning(Precision wanted, at::Device device, int compute_capability = 0);
/// Products of bf16 numbers are summed in float32 on GPUs too, where cuBLAS may add partial sums in bf16.
void sum_products_in_float32();
[[nodiscard]] const char* precision_name(Precision precision);  ///< "f32" or "bf16"
[[nodiscard]] at::ScalarType scalar_type(Precision precision);

}  // namespace genrec
