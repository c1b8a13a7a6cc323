#pragma once
#include "nn/kernels/simd.h"

namespace genrec::GENREC_ISA {

constexpr std::int64_t padded(std::int64_t n) {
  return (n + 15) / 16 * 16;
}

/// The left factor of a small product: element (m, k) is data[m * row + k * column].
template <typename Element>
struct Left {
  const Element* data;
  std::int64_t row, column;
};

/// Rows become columns: a perfect shuffle of all elements turns the bits of (row, lane) by one place.
inline void transpose(V (&lines)[kLanes]) {
  for (std::int64_t round = 1; round < kLanes; round *= 2) {
    V next[kLanes];
    for (std::int64_t i = 0; i < kLanes / 2; ++i) {
      I lower, upper;
      for (std::int64_t l = 0; l < kLanes; ++l) {
        lower[l] = static_cast<std::int32_t>(l / 2 + (l % 2) * kLanes);
        upper[l] = static_cast<std::int32_t>(lower[l] + kLanes / 2);
      }
      next[2 * i] = __builtin_shuffle(lines[i], lines[i + kLanes / 2], lower);
      next[2 * i + 1] = __builtin_shuffle(lines[i], lines[i + kLanes / 2], upper);
    }
    for (std::int64_t i = 0; i < kLanes; ++i) lines[i] = next[i];
  }
}

/// Factors as float32. Right factors have rows of padded(columns) elements, zeros behind the last.
struct Floats {
  using Element = float;
  using Line = V;

  static constexpr std::int64_t depth(std::int64_t numbers) { return numbers; }
  static Line line(const Element* p) { return load(p); }
  static Line everywhere(const Element* p) { return splat(*p); }
  static V add_product(V sum, Line a, Line b) { return sum + a * b; }

  /// Rows of numbers on the left; `space` for rows * padded(dim) elements.
  static Left<Element> left(const float* from, std::int64_t ld, std::int64_t, std::int64_t, Element*) {
    return {from, ld, 1};
  }
  static Left<Element> left(const Bf16* from, std::int64_t ld, std::int64_t rows, std::int64_t dim,
                            Element* space) {
    right(from, ld, rows, dim, space);
    return {space, padded(dim), 1};
  }
  /// Scores [queries, wide] on the left, summed over the keys (they may be written over) or, transposed,
  /// over the queries; `space` for queries * wide elements.
  static Left<Element> over_keys(float* scores, std::int64_t, std::int64_t wide) { return {scores, wide, 1}; }
  static Left<Element> over_queries(const float* scores, std::int64_t, std::int64_t wide, Element*) {
    return {scores, 1, wide};
  }
  /// Rows of numbers on the right, summed over the rows.
  template <typename T>
  static void right(const T* from, std::int64_t ld, std::int64_t rows, std::int64_t dim, Element* to) {
    const std::int64_t width = padded(dim);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < width; j += kLanes) {
        store(to + i * width + j, j < dim ? load(from + i * ld + j, dim - j) : V{});
      }
    }
  }
  /// Rows of numbers on the right, summed over their numbers: to[depth(dim), padded(rows)].
  template <typename T>
  static void right_transposed(const T* from, std::int64_t ld, std::int64_t rows, std::int64_t dim,
                               Element* to) {
    const std::int64_t width = padded(rows);
    for (std::int64_t i = 0; i < width; i += kLanes) {
      for (std::int64_t d = 0; d < dim; d += kLanes) {
        V lines[kLanes];
        for (std::int64_t l = 0; l < kLanes; ++l) {
          lines[l] = i + l < rows ? load(from + (i + l) * ld + d, dim - d) : V{};
        }
        transpose(lines);
        for (std::int64_t l = 0; l < kLanes && d + l < dim; ++l) store(to + (d + l) * width + i, lines[l]);
      }
    }
  }
};

#if defined(__AVX512BF16__)
/// Read and written by its bits alone, in memory that was of another type.
struct Pair {
  Bf16 first, second;
};

/// Factors as pairs of bfloat16, neighbours in the direction of the sum. On the left, and
/// transposed, rows must have an even number of numbers and an even leading dimension.
struct Pairs {
  using Element = Pair;
  using Line = __m512bh;

  static constexpr std::int64_t depth(std::int64_t numbers) { return (numbers + 1) / 2; }
  static Line line(const Element* p) { return reinterpret_cast<Line>(_mm512_loadu_si512(p)); }
  static Line everywhere(const Element* p) {
    std::int32_t bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    return reinterpret_cast<Line>(_mm512_set1_epi32(bits));
  }
  static V add_product(V sum, Line a, Line b) { return _mm512_dpbf16_ps(sum, a, b); }

  static Left<Element> left(const Bf16* from, std::int64_t ld, std::int64_t, std::int64_t, Element*) {
    return {reinterpret_cast<const Element*>(from), ld / 2, 1};
  }
  static Left<Element> over_keys(float* scores, std::int64_t queries, std::int64_t wide) {
    for (std::int64_t i = 0; i < queries; ++i) {  // in place: a row's pairs begin where it began
      float* row = scores + i * wide;
      auto* halves = reinterpret_cast<Bf16*>(row);
      for (std::int64_t j = 0; j < wide; j += kLanes) store(halves + j, load(row + j));
    }
    return {reinterpret_cast<const Element*>(scores), wide, 1};
  }
  static Left<Element> over_queries(const float* scores, std::int64_t queries, std::int64_t wide,
                                    Element* space) {
    for (std::int64_t i = 0; i < queries; i += 2) {
      const float* row = scores + i * wide;
      for (std::int64_t j = 0; j < wide; j += kLanes) {
        store_pairs(space + i / 2 * wide + j, narrowed(load(row + j)),
                    i + 1 < queries ? narrowed(load(row + wide + j)) : __m256i{});
      }
    }
    return {space, 1, wide};
  }
  static void right(const Bf16* from, std::int64_t ld, std::int64_t rows, std::int64_t dim, Element* to) {
    const std::int64_t width = padded(dim);
    for (std::int64_t i = 0; i < rows; i += 2) {
      const Bf16* row = from + i * ld;
      for (std::int64_t j = 0; j < dim; j += kLanes) {
        store_pairs(to + i / 2 * width + j, bits(row + j, dim - j),
                    i + 1 < rows ? bits(row + ld + j, dim - j) : __m256i{});
      }
    }
  }
  static void right_transposed(const Bf16* from, std::int64_t ld, std::int64_t rows, std::int64_t dim,
                               Element* to) {
    const std::int64_t width = padded(rows);
    for (std::int64_t i = 0; i < width; i += kLanes) {
      for (std::int64_t d = 0; d < dim; d += 2 * kLanes) {
        const std::int64_t pairs = dim - d >= 2 * kLanes ? kLanes : (dim - d) / 2;
        const __mmask16 used = pairs == kLanes ? __mmask16{0xffff} : lanes(pairs);
        V lines[kLanes];
        for (std::int64_t l = 0; l < kLanes; ++l) {
          lines[l] = i + l < rows ? V(_mm512_maskz_loadu_ps(used, from + (i + l) * ld + d)) : V{};
        }
        transpose(lines);
        for (std::int64_t l = 0; l < pairs; ++l) _mm512_storeu_ps(to + (d / 2 + l) * width + i, lines[l]);
      }
    }
  }

 private:
  static __m256i bits(const Bf16* p, std::int64_t count) {
    return count >= kLanes ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))
                           : _mm256_maskz_loadu_epi16(lanes(count), p);
  }
  static void store_pairs(Element* to, __m256i first, __m256i second) {
    _mm512_storeu_si512(to, _mm512_or_si512(_mm512_cvtepu16_epi32(first),
                                            _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16)));
  }
};
#endif

}  // namespace genrec::GENREC_ISA
