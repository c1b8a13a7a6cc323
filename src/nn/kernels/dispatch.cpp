#include <cstdlib>
#include <cstring>

#include "nn/kernels/kernels.h"
#include "nn/kernels/matrix.h"

#define GENREC_DECLARE_TABLES(isa)     \
  namespace genrec::isa {              \
  const Kernels<float>& float_table(); \
  const Kernels<Bf16>& bf16_table();   \
  }
GENREC_DECLARE_TABLES(isa_baseline)
#if defined(__x86_64__)
GENREC_DECLARE_TABLES(isa_avx2)
GENREC_DECLARE_TABLES(isa_avx512)
GENREC_DECLARE_TABLES(isa_avx512bf16)
namespace genrec::isa_avx512bf16 {
const MatrixKernels& matrix_table();
}
#endif

namespace genrec {
namespace {

enum class Isa { kBaseline, kAvx2, kAvx512, kAvx512Bf16 };
constexpr const char* kNames[] = {"baseline", "avx2", "avx512", "avx512bf16"};

Isa best() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::kBaseline;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return Isa::kAvx2;
  }
  return __builtin_cpu_supports("avx512bf16") ? Isa::kAvx512Bf16 : Isa::kAvx512;
#else
  return Isa::kBaseline;
#endif
}

Isa detect() {
  const char* asked = std::getenv("GENREC_ISA");
  for (int isa = 0; asked != nullptr && isa < static_cast<int>(best()); ++isa) {
    if (std::strcmp(asked, kNames[isa]) == 0) return static_cast<Isa>(isa);
  }
  return best();
}

Isa chosen() {
  static const Isa isa = detect();
  return isa;
}

}  // namespace

template <>
const Kernels<float>& kernels<float>() {
#if defined(__x86_64__)
  switch (chosen()) {
    case Isa::kAvx512Bf16:
      return isa_avx512bf16::float_table();
    case Isa::kAvx512:
      return isa_avx512::float_table();
    case Isa::kAvx2:
      return isa_avx2::float_table();
    default:
      break;
  }
#endif
  return isa_baseline::float_table();
}

template <>
const Kernels<Bf16>& kernels<Bf16>() {
#if defined(__x86_64__)
  switch (chosen()) {
    case Isa::kAvx512Bf16:
      return isa_avx512bf16::bf16_table();
    case Isa::kAvx512:
      return isa_avx512::bf16_table();
    case Isa::kAvx2:
      return isa_avx2::bf16_table();
    default:
      break;
  }
#endif
  return isa_baseline::bf16_table();
}

const MatrixKernels* matrix_kernels() {
#if defined(__x86_64__)
  static const bool amx = __builtin_cpu_supports("amx-bf16");
  if (chosen() == Isa::kAvx512Bf16 && !amx) return &isa_avx512bf16::matrix_table();
#endif
  return nullptr;
}

const char* kernel_isa() {
  return kNames[static_cast<int>(chosen())];
}

}  // namespace genrec
