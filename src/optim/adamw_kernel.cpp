#include "optim/adamw_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define GENREC_CLONES __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#else
#define GENREC_CLONES
#endif

namespace genrec {

GENREC_CLONES
void adamw_update(const AdamWStep& step, float* __restrict value, const float* __restrict gradient,
                  float* __restrict first, float* __restrict second, std::int64_t count) {
  const AdamWStep s = step;
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * s.gradient_scale;
    const float m = first[i] + s.one_minus_beta1 * (g - first[i]);
    const float v = second[i] * s.beta2 + s.one_minus_beta2 * g * g;
    first[i] = m;
    second[i] = v;
    const float denominator = __builtin_sqrtf(v) * s.root_correction + s.epsilon;
    value[i] = value[i] * s.decay - s.step_size * m / denominator;
  }
}

GENREC_CLONES
void to_bfloat16(const float* __restrict value, std::uint16_t* __restrict copy, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = __builtin_bit_cast(std::uint32_t, value[i]);
    copy[i] = static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  }
}

GENREC_CLONES
double sum_of_squares(const float* __restrict x, std::int64_t count) {
  double lanes[8] = {};  // a fixed order of summation, wide enough for every instruction set
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int l = 0; l < 8; ++l) {
      const auto v = static_cast<double>(x[i + l]);
      lanes[l] += v * v;
    }
  }
  double total = 0;
  for (; i < count; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  for (double lane : lanes) total += lane;
  return total;
}

}  // namespace genrec
