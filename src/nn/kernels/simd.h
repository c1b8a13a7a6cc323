#pragma once
// Only for the files compiled once per instruction set: everything lives in a namespace of that set, and
// nothing from the standard library is instantiated, lest the linker keep a copy the processor cannot run.
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstdint>

#include "nn/kernels/kernels.h"

#if defined(__AVX512BF16__)
#define GENREC_ISA isa_avx512bf16
#define GENREC_LANES 16
#elif defined(__AVX512F__)
#define GENREC_ISA isa_avx512
#define GENREC_LANES 16
#elif defined(__AVX2__)
#define GENREC_ISA isa_avx2
#define GENREC_LANES 8
#else
#define GENREC_ISA isa_baseline
#define GENREC_LANES 4
#endif

namespace genrec::GENREC_ISA {

constexpr std::int64_t kLanes = GENREC_LANES;
typedef float V __attribute__((vector_size(4 * GENREC_LANES)));
typedef std::int32_t I __attribute__((vector_size(4 * GENREC_LANES)));
typedef std::uint32_t U __attribute__((vector_size(4 * GENREC_LANES)));
typedef std::uint16_t H __attribute__((vector_size(2 * GENREC_LANES)));

inline V splat(float x) {
  return x - V{};
}
inline U splat(std::uint32_t x) {
  return x - U{};
}

/// Loads kLanes elements, or the first `count`, the rest zero.
inline V load(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, V v) {
  __builtin_memcpy(p, &v, sizeof v);
}

#if defined(__AVX512F__)
inline V widened(__m256i halves) {  // GCC's own conversion goes by halves
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
inline V load(const Bf16* p) {
  return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
/// A bit for each of the first `count` lanes, fewer than kLanes.
inline __mmask16 lanes(std::int64_t count) {
  return static_cast<__mmask16>((1U << count) - 1U);
}
inline V load(const float* p, std::int64_t count) {
  return count >= kLanes ? load(p) : V(_mm512_maskz_loadu_ps(lanes(count), p));
}
inline V load(const Bf16* p, std::int64_t count) {
  return count >= kLanes ? load(p) : widened(_mm256_maskz_loadu_epi16(lanes(count), p));
}
inline __m256i narrowed(V v) {  // round to nearest, ties to even; a NaN that arithmetic makes stays one
#if defined(__AVX512BF16__)
  return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v));
#else
  const U u = reinterpret_cast<U>(v);
  return _mm512_cvtepi32_epi16(reinterpret_cast<__m512i>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16));
#endif
}
inline void store(Bf16* p, V v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowed(v));
}
inline void store(float* p, V v, std::int64_t count) {
  if (count >= kLanes) {
    store(p, v);
  } else {
    _mm512_mask_storeu_ps(p, lanes(count), v);
  }
}
inline void store(Bf16* p, V v, std::int64_t count) {
  if (count >= kLanes) {
    store(p, v);
  } else {
    _mm256_mask_storeu_epi16(p, lanes(count), narrowed(v));
  }
}
#else
inline V load(const Bf16* p) {
  H h;
  __builtin_memcpy(&h, p, sizeof h);
  return reinterpret_cast<V>(__builtin_convertvector(h, U) << 16);
}
template <typename T>
inline V load(const T* p, std::int64_t count) {
  if (count >= kLanes) return load(p);
  T part[kLanes] = {};
  for (std::int64_t i = 0; i < count; ++i) part[i] = p[i];
  return load(part);
}
inline void store(Bf16* p, V v) {  // round to nearest, ties to even; a NaN that arithmetic makes stays one
  const U u = reinterpret_cast<U>(v);
  const H h = __builtin_convertvector((u + 0x7fffu + ((u >> 16) & 1u)) >> 16, H);
  __builtin_memcpy(p, &h, sizeof h);
}
template <typename T>
inline void store(T* p, V v, std::int64_t count) {
  if (count >= kLanes) {
    store(p, v);
    return;
  }
  T part[kLanes];
  store(part, v);
  for (std::int64_t i = 0; i < count; ++i) p[i] = part[i];
}
#endif
inline V maximum(V a, V b) {  // b where either is NaN
#if defined(__AVX512F__)
  return _mm512_max_ps(a, b);
#elif defined(__AVX__)
  return _mm256_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
inline V minimum(V a, V b) {
#if defined(__AVX512F__)
  return _mm512_min_ps(a, b);
#elif defined(__AVX__)
  return _mm256_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}
/// Lane i of the result is lane i + By of v, round the end.
template <int By>
inline V rotated(V v) {
  I from{};
  for (int i = 0; i < kLanes; ++i) from[i] = (i + By) % static_cast<int>(kLanes);
  return __builtin_shuffle(v, from);
}
template <int By = kLanes / 2>
inline float sum(V v) {
  v += rotated<By>(v);
  if constexpr (By > 1) return sum<By / 2>(v);
  return v[0];
}
template <int By = kLanes / 2>
inline float largest(V v) {
  v = maximum(v, rotated<By>(v));
  if constexpr (By > 1) return largest<By / 2>(v);
  return v[0];
}
/// Keeps the first `count` lanes, `other` elsewhere.
inline V first(V v, std::int64_t count, float other) {
  I lane;
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  return lane < static_cast<std::int32_t>(count) - I{} ? v : splat(other);
}

/// e^x to about 1 unit in the last place for x from -87.3 to 88.3, beyond these the value there; NaN of NaN.
inline V exponential(V x) {
  x = minimum(splat(88.3f), maximum(splat(-87.3f), x));  // in this order NaN stays
#if defined(__AVX512F__)
  const V n = _mm512_roundscale_ps(x * splat(1.44269504f), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  const V magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer, in the lowest bits
  const V rounded = x * splat(1.44269504f) + magic;
  const V n = rounded - magic;
#endif
  const V r = (x - n * splat(0.693359375f)) + n * splat(2.12194440e-4f);
  // Smallest relative error (3e-9 before rounding) on |r| <= ln(2) / 2 with 1 + r fixed.
  V p = splat(1.3814540579915047e-3f);
  p = p * r + splat(8.3687454462051392e-3f);
  p = p * r + splat(4.1668388992547989e-2f);
  p = p * r + splat(1.6666521131992340e-1f);
  p = p * r + splat(4.9999994039535522e-1f);
  p = p * r * r + r + splat(1.0f);
#if defined(__AVX512F__)
  return _mm512_scalef_ps(p, n);
#else
  return reinterpret_cast<V>(reinterpret_cast<I>(p) + (reinterpret_cast<I>(rounded) << 23));  // p * 2^n
#endif
}

/// The row part of a dropout hash.
struct RowKey {
  std::uint32_t first, second;
};
inline RowKey row_key(std::int64_t token_key, std::uint64_t site) {
  std::uint64_t x = static_cast<std::uint64_t>(token_key) ^ site;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  x ^= x >> 31;
  return {static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(x >> 32)};
}
/// 0 or `scale` for columns [column, column + kLanes).
inline V dropout_factor(RowKey key, std::int64_t column, std::uint32_t threshold, float scale) {
  U lane;
  for (int i = 0; i < kLanes; ++i) lane[i] = static_cast<std::uint32_t>(i);
  U x = (lane + static_cast<std::uint32_t>(column)) * 0x9e3779b1u + key.first;
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= key.second;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  const I kept = reinterpret_cast<I>(x >> 1) >= static_cast<std::int32_t>(threshold) - I{};
  return kept ? splat(scale) : V{};
}

}  // namespace genrec::GENREC_ISA
