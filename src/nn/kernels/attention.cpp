#include "nn/kernels/rows.h"

namespace genrec::GENREC_ISA {
namespace {

constexpr std::int64_t padded(std::int64_t n) {
  return (n + 15) / 16 * 16;
}

/// C[Rows, Vectors * kLanes] = A B; element (m, k) of A is a[m * row + k * column].
template <int Rows, int Vectors>
inline void tile(std::int64_t depth, const float* __restrict a, std::int64_t row, std::int64_t column,
                 const float* __restrict b, std::int64_t ldb, float* __restrict c, std::int64_t ldc) {
  V sums[Rows][Vectors] = {};
  for (std::int64_t k = 0; k < depth; ++k) {
    V line[Vectors];
    for (int j = 0; j < Vectors; ++j) line[j] = load(b + k * ldb + j * kLanes);
    for (int i = 0; i < Rows; ++i) {
      const V x = splat(a[i * row + k * column]);
      for (int j = 0; j < Vectors; ++j) sums[i][j] += x * line[j];
    }
  }
  for (int i = 0; i < Rows; ++i) {
    for (int j = 0; j < Vectors; ++j) store(c + i * ldc + j * kLanes, sums[i][j]);
  }
}

template <int Vectors>
void column_strip(std::int64_t rows, std::int64_t depth, const float* a, std::int64_t row,
                  std::int64_t column, const float* b, std::int64_t ldb, float* c, std::int64_t ldc) {
  std::int64_t i = 0;
  for (; i + 6 <= rows; i += 6) tile<6, Vectors>(depth, a + i * row, row, column, b, ldb, c + i * ldc, ldc);
  const float* rest = a + i * row;
  float* out = c + i * ldc;
  switch (rows - i) {
    case 5:
      return tile<5, Vectors>(depth, rest, row, column, b, ldb, out, ldc);
    case 4:
      return tile<4, Vectors>(depth, rest, row, column, b, ldb, out, ldc);
    case 3:
      return tile<3, Vectors>(depth, rest, row, column, b, ldb, out, ldc);
    case 2:
      return tile<2, Vectors>(depth, rest, row, column, b, ldb, out, ldc);
    case 1:
      return tile<1, Vectors>(depth, rest, row, column, b, ldb, out, ldc);
    default:
      return;
  }
}

/// C[rows, columns] = A B with columns a multiple of 16.
void product(std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* a, std::int64_t row,
             std::int64_t column, const float* b, std::int64_t ldb, float* c, std::int64_t ldc) {
  std::int64_t j = 0;
  for (; j + 2 * kLanes <= columns; j += 2 * kLanes) {
    column_strip<2>(rows, depth, a, row, column, b + j, ldb, c + j, ldc);
  }
  if (j < columns) column_strip<1>(rows, depth, a, row, column, b + j, ldb, c + j, ldc);
}

/// Rows of `from` as float32 with zeros up to padded(dim).
template <typename T>
void pack(const T* from, std::int64_t ld, std::int64_t rows, std::int64_t dim, float* to) {
  const std::int64_t width = padded(dim);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < width; j += kLanes) {
      store(to + i * width + j, j < dim ? load(from + i * ld + j, dim - j) : V{});
    }
  }
}

/// Transposed: to[dim, padded(rows)], zeros behind the rows.
template <typename T>
void pack_transposed(const T* from, std::int64_t ld, std::int64_t rows, std::int64_t dim, float* to) {
  const std::int64_t width = padded(rows);
  for (std::int64_t d0 = 0; d0 < dim; d0 += kLanes) {
    const std::int64_t count = dim - d0 < kLanes ? dim - d0 : kLanes;
    for (std::int64_t i = 0; i < rows; ++i) {
      const V line = load(from + i * ld + d0, count);
      for (std::int64_t l = 0; l < count; ++l) to[(d0 + l) * width + i] = line[l];
    }
  }
  for (std::int64_t d = 0; d < dim; ++d) {
    for (std::int64_t i = rows; i < width; ++i) to[d * width + i] = 0;
  }
}

/// scores -> probabilities of one row of `count` elements; zeros up to `width`.
void softmax(float* row, std::int64_t count, std::int64_t width, const float* bias) {
  V best = splat(-3.0e38f);
  for (std::int64_t j = 0; j < count; j += kLanes) {
    V v = load(row + j);
    if (bias != nullptr) v += load(bias + j, count - j);
    v = first(v, count - j, -3.0e38f);
    store(row + j, v);
    best = maximum(best, v);
  }
  const V top = splat(largest(best));
  V total{};
  for (std::int64_t j = 0; j < count; j += kLanes) {
    const V e = first(exponential(load(row + j) - top), count - j, 0.0f);
    store(row + j, e);
    total += e;
  }
  const V scale = splat(1.0f / sum(total));
  for (std::int64_t j = 0; j < width; j += kLanes) store(row + j, j < count ? load(row + j) * scale : V{});
}

inline std::int64_t visible(bool causal, std::int64_t query, std::int64_t keys) {
  return causal && query + 1 < keys ? query + 1 : keys;
}

template <typename T>
void attention(const AttentionHead<T>& head, T* out, std::int64_t ldo) {
  const std::int64_t queries = head.queries, keys = head.keys, dim = head.dim;
  const std::int64_t wide = padded(keys), deep = padded(dim);
  float* scores = head.scratch;
  float* left = scores + queries * wide;
  float* right = left + queries * deep;
  pack(head.q, head.ldq, queries, dim, left);
  pack_transposed(head.k, head.ldk, keys, dim, right);
  product(queries, wide, dim, left, deep, 1, right, wide, scores, wide);
  for (std::int64_t i = 0; i < queries; ++i) {
    float* row = scores + i * wide;
    softmax(row, visible(head.causal, i, keys), wide, head.bias == nullptr ? nullptr : head.bias - i);
    if (head.probabilities != nullptr) {
      float* kept = head.probabilities + i * keys;
      for (std::int64_t j = 0; j < keys; j += kLanes) store(kept + j, load(row + j), keys - j);
    }
    if (head.dropout.threshold != 0) {
      const MaskRow mask(head.dropout, i);
      for (std::int64_t j = 0; j < wide; j += kLanes) store(row + j, mask.apply(load(row + j), j));
    }
  }
  pack(head.v, head.ldv, keys, dim, right);
  product(queries, deep, keys, scores, wide, 1, right, deep, left, deep);
  for (std::int64_t i = 0; i < queries; ++i) {
    for (std::int64_t j = 0; j < dim; j += kLanes)
      store(out + i * ldo + j, load(left + i * deep + j), dim - j);
  }
}

/// A[rows, dim] from padded float32 rows.
template <typename T>
void unpack(const float* from, std::int64_t rows, std::int64_t dim, T* to, std::int64_t ld) {
  const std::int64_t width = padded(dim);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < dim; j += kLanes) {
      store(to + i * ld + j, load(from + i * width + j), dim - j);
    }
  }
}

template <typename T>
void attention_backward(const AttentionHead<T>& head, const AttentionHeadGradient<T>& gradient) {
  const std::int64_t queries = head.queries, keys = head.keys, dim = head.dim;
  const std::int64_t wide = padded(keys), deep = padded(dim);
  float* dropped = head.scratch;              // probabilities after dropout
  float* dscores = dropped + queries * wide;  // gradient of the scores
  float* dout = dscores + queries * wide;     // [queries, deep]
  float* left = dout + queries * deep;        // [queries, deep]
  float* right = left + queries * deep;       // [keys, deep] or [dim, wide]
  float* result = right + wide * deep;        // [keys, deep]
  pack(gradient.dout, gradient.lddo, queries, dim, dout);
  pack_transposed(head.v, head.ldv, keys, dim, right);
  product(queries, wide, dim, dout, deep, 1, right, wide, dscores, wide);
  for (std::int64_t i = 0; i < queries; ++i) {
    const float* p = head.probabilities + i * keys;
    float* after = dropped + i * wide;
    float* d = dscores + i * wide;
    const MaskRow mask(head.dropout, i);
    V dot{};
    for (std::int64_t j = 0; j < wide; j += kLanes) {
      const V probability = j < keys ? load(p + j, keys - j) : V{};
      const V dp = mask.apply(load(d + j), j);
      store(after + j, mask.apply(probability, j));
      store(d + j, dp);
      dot += probability * dp;
    }
    const V mean = splat(sum(dot));
    for (std::int64_t j = 0; j < wide; j += kLanes) {
      const V probability = j < keys ? load(p + j, keys - j) : V{};
      store(d + j, probability * (load(d + j) - mean));
    }
    if (gradient.dbias != nullptr) {
      float* table = gradient.dbias - i;
      for (std::int64_t j = 0; j < keys; j += kLanes) {
        store(table + j, load(table + j, keys - j) + load(d + j), keys - j);
      }
    }
  }
  // dv = dropped^T dout, dk = dscores^T q, dq = dscores k
  product(keys, deep, queries, dropped, 1, wide, dout, deep, result, deep);
  unpack(result, keys, dim, gradient.dv, gradient.lddv);
  pack(head.q, head.ldq, queries, dim, left);
  product(keys, deep, queries, dscores, 1, wide, left, deep, result, deep);
  unpack(result, keys, dim, gradient.dk, gradient.lddk);
  pack(head.k, head.ldk, keys, dim, right);
  product(queries, deep, keys, dscores, wide, 1, right, deep, left, deep);
  unpack(left, queries, dim, gradient.dq, gradient.lddq);
}

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
    for (std::int64_t s = 0; s < steps; ++s) {
      scores[s] = exponential(splat(scores[s] - top))[0];
      total += scores[s];
    }
    for (std::int64_t j = 0; j < dim; j += kLanes) {
      V mixed{};
      for (std::int64_t s = 0; s < steps; ++s)
        mixed += splat(scores[s] / total) * load(values[s] + at + j, dim - j);
      store(out + at + j, mixed, dim - j);
    }
  }
}

}  // namespace

template <typename T>
void fill_attention(Kernels<T>& table) {
  table.attention = attention<T>;
  table.attention_backward = attention_backward<T>;
  table.attention_step = attention_step<T>;
}
template void fill_attention(Kernels<float>&);
template void fill_attention(Kernels<Bf16>&);

/// The tables of this instruction set.
const Kernels<float>& float_table() {
  static const Kernels<float> table = [] {
    Kernels<float> filled;
    fill_rows(filled);
    fill_attention(filled);
    fill_softmax(filled);
    fill_assignment(filled);
    return filled;
  }();
  return table;
}
const Kernels<Bf16>& bf16_table() {
  static const Kernels<Bf16> table = [] {
    Kernels<Bf16> filled;
    fill_rows(filled);
    fill_attention(filled);
    fill_softmax(filled);
    fill_assignment(filled);
    return filled;
  }();
  return table;
}

}  // namespace genrec::GENREC_ISA
