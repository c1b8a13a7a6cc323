#include "nn/kernels/product.h"
#include "nn/kernels/rows.h"

namespace genrec::GENREC_ISA {
namespace {

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

/// Asks for the next head's numbers of these rows: they come while this head is computed.
template <typename T>
void ask_for_next(const T* rows, std::int64_t ld, std::int64_t count, std::int64_t dim) {
  constexpr std::int64_t kCacheLine = 64 / sizeof(T);
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t j = 0; j < dim; j += kCacheLine) __builtin_prefetch(rows + i * ld + dim + j);
  }
}

template <typename T>
void ask_for_next(const AttentionHead<T>& head) {
  ask_for_next(head.q, head.ldq, head.queries, head.dim);
  ask_for_next(head.k, head.ldk, head.keys, head.dim);
  ask_for_next(head.v, head.ldv, head.keys, head.dim);
}

template <typename F, typename T>
void forward(const AttentionHead<T>& head, T* out, std::int64_t ldo) {
  using Element = typename F::Element;
  const std::int64_t queries = head.queries, keys = head.keys, dim = head.dim;
  const std::int64_t wide = padded(keys), deep = padded(dim);
  float* scores = head.scratch;
  auto* left = reinterpret_cast<Element*>(scores + queries * wide);
  Element* right = left + queries * deep;
  F::right_transposed(head.k, head.ldk, keys, dim, right);
  product<F>(queries, wide, F::depth(dim), F::left(head.q, head.ldq, queries, dim, left), right, scores,
             wide);
  if (head.followed) ask_for_next(head);
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
  F::right(head.v, head.ldv, keys, dim, right);
  product<F>(queries, dim, F::depth(keys), F::over_keys(scores, queries, wide), right, out, ldo);
}

template <typename F, typename T>
void backward(const AttentionHead<T>& head, const AttentionHeadGradient<T>& gradient) {
  using Element = typename F::Element;
  const std::int64_t queries = head.queries, keys = head.keys, dim = head.dim;
  const std::int64_t wide = padded(keys), deep = padded(dim);
  float* dropped = head.scratch;              // probabilities after dropout
  float* dscores = dropped + queries * wide;  // gradient of the scores
  // The left factor: dout [queries, deep], then one of the two as it is summed over queries.
  auto* left = reinterpret_cast<Element*>(dscores + queries * wide);
  // [dim, wide], [queries, deep] or [keys, deep]
  Element* right = left + queries * (wide > deep ? wide : deep);
  F::right_transposed(head.v, head.ldv, keys, dim, right);
  product<F>(queries, wide, F::depth(dim), F::left(gradient.dout, gradient.lddo, queries, dim, left), right,
             dscores, wide);
  if (head.followed) {
    ask_for_next(head);
    ask_for_next(gradient.dout, gradient.lddo, queries, dim);
  }
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
  F::right(gradient.dout, gradient.lddo, queries, dim, right);
  product<F>(keys, dim, F::depth(queries), F::over_queries(dropped, queries, wide, left), right, gradient.dv,
             gradient.lddv);
  F::right(head.q, head.ldq, queries, dim, right);
  product<F>(keys, dim, F::depth(queries), F::over_queries(dscores, queries, wide, left), right, gradient.dk,
             gradient.lddk);
  F::right(head.k, head.ldk, keys, dim, right);
  product<F>(queries, dim, F::depth(keys), F::over_keys(dscores, queries, wide), right, gradient.dq,
             gradient.lddq);
}

template <typename T>
void attention(const AttentionHead<T>& head, T* out, std::int64_t ldo) {
  forward<Floats>(head, out, ldo);
}
template <typename T>
void attention_backward(const AttentionHead<T>& head, const AttentionHeadGradient<T>& gradient) {
  backward<Floats>(head, gradient);
}

#if defined(__AVX512BF16__)
bool pairs(const AttentionHead<Bf16>& head) {
  return (head.dim | head.ldq | head.ldk | head.ldv) % 2 == 0;
}
template <>
void attention(const AttentionHead<Bf16>& head, Bf16* out, std::int64_t ldo) {
  pairs(head) ? forward<Pairs>(head, out, ldo) : forward<Floats>(head, out, ldo);
}
template <>
void attention_backward(const AttentionHead<Bf16>& head, const AttentionHeadGradient<Bf16>& gradient) {
  pairs(head) && gradient.lddo % 2 == 0 ? backward<Pairs>(head, gradient) : backward<Floats>(head, gradient);
}
#endif

}  // namespace

template <typename T>
void fill_attention(Kernels<T>& table) {
  table.attention = attention<T>;
  table.attention_backward = attention_backward<T>;
}
template void fill_attention(Kernels<float>&);
template void fill_attention(Kernels<Bf16>&);

}  // namespace genrec::GENREC_ISA
