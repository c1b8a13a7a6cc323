#pragma once
#include <cstdint>

namespace genrec {

/// Numbers of one AdamW step, rounded once each: 1 - beta2 of a float beta2 would be 1.3e-5 too small.
struct AdamWStep {
  float decay;  ///< 1 - learning rate * weight decay
  float gradient_scale;
  float one_minus_beta1;
  float beta2, one_minus_beta2;
  float step_size;        ///< learning rate / (1 - beta1^t)
  float root_correction;  ///< 1 / sqrt(1 - beta2^t)
  float epsilon;
};

/// Updates `count` elements in place. Vectorised by the compiler for the processor at hand.
void adamw_update(const AdamWStep& step, float* value, const float* gradient, float* first, float* second,
                  std::int64_t count);
/// bfloat16 of `count` values, rounded to nearest even.
void to_bfloat16(const float* value, std::uint16_t* copy, std::int64_t count);
/// Sum of squares in float64.
[[nodiscard]] double sum_of_squares(const float* x, std::int64_t count);

}  // namespace genrec
