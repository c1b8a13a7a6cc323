#include "nn/precision.h"

namespace genrec {
namespace {

bool has_fast_bf16(at::Device device) {
  if (!device.is_cpu()) return true;
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") || __builtin_cpu_supports("amx-bf16");
#else
  return false;
#endif
}

}  // namespace

Precision effective_precision(Precision wanted, at::Device device) {
  return wanted == Precision::kBFloat16 && !has_fast_bf16(device) ? Precision::kFloat32 : wanted;
}

std::string precision_warning(Precision wanted, at::Device device) {
  if (effective_precision(wanted, device) == wanted) return "";
  return "this processor has no bf16 products (AVX512-BF16 or AMX): computing in f32; --run.precision f32 "
         "says "
         "so beforehand";
}

const char* precision_name(Precision precision) {
  return precision == Precision::kBFloat16 ? "bf16" : "f32";
}

at::ScalarType scalar_type(Precision precision) {
  return precision == Precision::kBFloat16 ? at::kBFloat16 : at::kFloat;
}

}  // namespace genrec
