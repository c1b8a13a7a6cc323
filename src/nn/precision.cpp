#include "nn/precision.h"

namespace genrec {
namespace {

bool has_fast_bf16(at::Device device, int compute_capability) {
  if (!device.is_cpu()) return compute_capability >= 80;
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") || __builtin_cpu_supports("amx-bf16");
#else
  return false;
#endif
}

}  // namespace

Precision effective_precision(Precision wanted, at::Device device, int compute_capability) {
  return wanted == Precision::kBFloat16 && !has_fast_bf16(device, compute_capability) ? Precision::kFloat32
                                                                                      : wanted;
}

std::string precision_warning(Precision wanted, at::Device device, int compute_capability) {
  if (effective_precision(wanted, device, compute_capability) == wanted) return "";
  const std::string lacking = device.is_cpu() ? "this processor has no bf16 products (AVX512-BF16 or AMX)"
                                              : "this GPU has no bf16 products (compute capability 8.0)";
  return lacking + ": computing in f32; --run.precision f32 says so beforehand";
}

void sum_products_in_float32() {
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
}

const char* precision_name(Precision precision) {
  return precision == Precision::kBFloat16 ? "bf16" : "f32";
}

at::ScalarType scalar_type(Precision precision) {
  return precision == Precision::kBFloat16 ? at::kBFloat16 : at::kFloat;
}

}  // namespace genrec
