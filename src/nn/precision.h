#pragma once
#include <ATen/ATen.h>

#include <string>

#include "nn/parameter_store.h"

namespace genrec {

/// What products run in when `wanted` is asked for: bf16 needs a CPU with AVX512-BF16 or AMX, or a GPU with
/// bf16; elsewhere it would be slower than float32 and float32 is taken.
[[nodiscard]] Precision effective_precision(Precision wanted, at::Device device);
/// One line for a warning when effective_precision differs from `wanted`; empty when it does not.
[[nodiscard]] std::string precision_warning(Precision wanted, at::Device device);
[[nodiscard]] const char* precision_name(Precision precision);  ///< "f32" or "bf16"
[[nodiscard]] at::ScalarType scalar_type(Precision precision);

}  // namespace genrec
