#include <cstdlib>
#include <cstring>

#include "nn/kernels/kernels.h"

#define GENREC_DECLARE_TABLES(isa)     \
  namespace genrec::isa {              \
  const Kernels<float>& float_table(); \
  const Kernels<Bf16>& bf16_table();   \
  }
GENREC_DECLARE_TABLES(isa_baseline)
#if defined(__x86_64__)
GENREC_DECLARE_TABLES(isa_avx2)
GENREC_DECLARE_TABLES(isa_avx512)
#endif

namespace genrec {
namespace {

enum class Isa { kBaseline, kAvx2, kAvx512 };

Isa detect() {
#if defined(__x86_64__)
  const char* asked = std::getenv("GENREC_ISA");
  const auto is = [&](const char* name) { return asked != nullptr && std::strcmp(asked, name) == 0; };
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && !is("avx2") && !is("baseline")) return Isa::kAvx512;
  if (avx2 && !is("baseline")) return Isa::kAvx2;
#endif
  return Isa::kBaseline;
}

Isa chosen() {
  static const Isa isa = detect();
  return isa;
}

}  // namespace

template <>
const Kernels<float>& kernels<float>() {
#if defined(__x86_64__)
  if (chosen() == Isa::kAvx512) return isa_avx512::float_table();
  if (chosen() == Isa::kAvx2) return isa_avx2::float_table();
#endif
  return isa_baseline::float_table();
}

template <>
const Kernels<Bf16>& kernels<Bf16>() {
#if defined(__x86_64__)
  if (chosen() == Isa::kAvx512) return isa_avx512::bf16_table();
  if (chosen() == Isa::kAvx2) return isa_avx2::bf16_table();
#endif
  return isa_baseline::bf16_table();
}

const char* kernel_isa() {
  switch (chosen()) {
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx2:
      return "avx2";
    default:
      return "baseline";
  }
}

}  // namespace genrec
