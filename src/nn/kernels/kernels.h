#pragma once
#include <cstdint>

namespace genrec {

/// bfloat16 as the kernels see it: the upper half of a float32.
struct Bf16 {
  std::uint16_t bits;
};

/// What decides which elements a dropout site drops: element (row, column) is a function of keys[row], `site`
/// and the column alone, so masks are drawn again in the backward pass instead of being stored, and depend
/// neither on the batch around a sample nor on the number of threads.
struct DropoutMask {
  const std::int64_t* keys = nullptr;  ///< one a token
  std::uint64_t site = 0;
  std::uint32_t threshold = 0;  ///< of 2^31: elements whose hash lies below are dropped; 0 drops nothing
  float scale = 1;              ///< 1 / (1 - probability)
};

/// Attention of one (sequence, head). Rows are tokens; leading dimensions in elements.
template <typename T>
struct AttentionHead {
  const T *q, *k, *v;
  std::int64_t ldq, ldk, ldv;
  std::int64_t queries, keys, dim;
  bool causal;
  bool followed;        ///< the next head's numbers lie behind this one's in each row, and are needed next
  const float* bias;    ///< bias[key - query] added to the scores; may be null
  DropoutMask dropout;  ///< keys of the query tokens; the site tells heads apart
  float*
      probabilities;  ///< [queries, keys] before dropout: written forward, read backward; may be null forward
  float* scratch;     ///< attention_scratch(queries, keys, dim) floats
};

template <typename T>
struct AttentionHeadGradient {
  const T* dout;
  T *dq, *dk, *dv;
  std::int64_t lddo, lddq, lddk, lddv;
  float* dbias;  ///< dbias[key - query] +=; may be null
};

/// Floats of scratch that one AttentionHead call needs: two of [queries, keys] and the factors of a product.
constexpr std::int64_t attention_scratch(std::int64_t queries, std::int64_t keys, std::int64_t dim) {
  const std::int64_t d = (dim + 15) / 16 * 16;
  const std::int64_t q = (queries + 15) / 16 * 16, k = (keys + 15) / 16 * 16;
  return 2 * q * k + q * (k > d ? k : d) + (q > k ? q : k) * d;
}

/// The inner loops of the model on CPUs, compiled once for each instruction set. T is the precision of matrix
/// products (float or Bf16); the residual stream and all sums are float32. Row-major, `n` columns.
template <typename T>
struct Kernels {
  /// out = x * rstd * weight, rstd = (mean x^2 + epsilon)^-1/2 (RMS norm).
  void (*norm)(const float* x, const float* weight, float epsilon, T* out, float* rstd, std::int64_t rows,
               std::int64_t n);
  /// dx += gradient through the norm; dweight += its weight's gradient over these rows.
  void (*norm_backward)(const float* x, const float* weight, const float* rstd, const T* dout, float* dx,
                        float* dweight, std::int64_t rows, std::int64_t n);
  /// sums += the sums of x's columns; a row of x begins `ld` elements after the one before.
  void (*add_column_sums)(const T* x, std::int64_t ld, float* sums, std::int64_t rows, std::int64_t n);
  /// out = x + dropout(y); out may be x.
  void (*add_dropout)(const float* x, const T* y, float* out, const DropoutMask& mask, std::int64_t rows,
                      std::int64_t n);
  /// out = factor * dropout(x); also its own backward pass.
  void (*dropout_from_float)(const float* x, T* out, float factor, const DropoutMask& mask, std::int64_t rows,
                             std::int64_t n);
  void (*dropout_to_float)(const T* x, float* out, float factor, const DropoutMask& mask, std::int64_t rows,
                           std::int64_t n);
  /// x = dropout(relu(x)), in place.
  void (*relu)(T* x, const DropoutMask& mask, std::int64_t rows, std::int64_t n);
  /// dy *= d relu, dropout; `out` is what relu() left: a zero there means dropped or negative.
  void (*relu_backward)(const T* out, T* dy, float scale, std::int64_t count);
  /// out = dropout(gelu(gate) * linear); a row of `both` holds gate then linear, n columns each.
  void (*gated_gelu)(const T* both, T* out, const DropoutMask& mask, std::int64_t rows, std::int64_t n);
  void (*gated_gelu_backward)(const T* both, const T* dout, T* dboth, const DropoutMask& mask,
                              std::int64_t rows, std::int64_t n);
  /// out [queries, dim] = dropout(softmax(q k^T + bias)) v.
  void (*attention)(const AttentionHead<T>& head, T* out, std::int64_t ldo);
  void (*attention_backward)(const AttentionHead<T>& head, const AttentionHeadGradient<T>& gradient);
  /// One new token of one sequence: out [heads * dim] = softmax(q keys^T + bias) values for every head;
  /// keys[s] and values[s] are rows [heads * dim] of `steps` earlier tokens and the token itself; bias[head *
  /// steps + s].
  void (*attention_step)(const T* q, const T* const* keys, const T* const* values, std::int64_t steps,
                         std::int64_t heads, std::int64_t dim, const float* bias, float* scores, T* out);
  /// The row's maximum and the sum of exp(factor * (row - maximum)).
  void (*sum_exponentials)(const T* row, std::int64_t n, float factor, float* maximum, float* sum);
  /// row = exp(factor * (row - top)) * scale.
  void (*scaled_exponentials)(T* row, std::int64_t n, float factor, float top, float scale);
  /// The place of each row's smallest number, the first of equals; 0 in a row without a number.
  void (*first_minima)(const float* x, std::int64_t* out, std::int64_t rows, std::int64_t n);
  /// Half a turn of Sinkhorn's scaling: u[row] = share / (row . v), then columns += u[row] * row.
  void (*sinkhorn_sweep)(const double* matrix, const double* v, double share, double* u, double* columns,
                         std::int64_t rows, std::int64_t n);
};

/// The fastest table that this processor runs (GENREC_ISA=baseline|avx2|avx512 in the environment lowers it).
template <typename T>
const Kernels<T>& kernels();
/// "baseline", "avx2", "avx512" or "avx512bf16".
const char* kernel_isa();

}  // namespace genrec
