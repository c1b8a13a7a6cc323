#include "nn/kernels/rows.h"

namespace genrec::GENREC_ISA {

template <typename T>
void attention_step(const T* q, const T* const* keys, const T* const* values, std::int64_t steps,
                    std::int64_t heads, std::int64_t dim, const float* bias, float* scores, T* out) {
  for (std::int64_t head = 0; head < heads; ++head) {
    const std::int64_t at = head * dim;
    float top = -3.0e38f, total = 0;
    for (std::int64_t s = 0; s < steps; ++s) {
      V dot{};
      for (std::int64_t j = 0; j < dim; j += kLanes) {
        dot += load(q + at + j, dim - j) * load(keys[s] + at + j, dim - j);
      }
      scores[s] = sum(dot) + bias[head * steps + s];
      if (scores[s] > top) top = scores[s];
    }
    for (std::int64_t s = 0; s < steps; s += kLanes) {
      const V e = first(exponential(load(scores + s, steps - s) - splat(top)), steps - s, 0.0f);
      store(scores + s, e, steps - s);
      total += sum(e);
    }
    const float scale = 1 / total;
    for (std::int64_t s = 0; s < steps; ++s) scores[s] *= scale;
    for (std::int64_t j = 0; j < dim; j += kLanes) {
      V mixed{};
      for (std::int64_t s = 0; s < steps; ++s) mixed += splat(scores[s]) * load(values[s] + at + j, dim - j);
      store(out + at + j, mixed, dim - j);
    }
  }
}

template <typename T>
void fill_attention_step(Kernels<T>& table) {
  table.attention_step = attention_step<T>;
}
template void fill_attention_step(Kernels<float>&);
template void fill_attention_step(Kernels<Bf16>&);

}  // namespace genrec::GENREC_ISA
