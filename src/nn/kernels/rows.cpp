#include "nn/kernels/rows.h"

namespace genrec::GENREC_ISA {

template <typename T>
void norm(const float* x, const float* weight, float epsilon, T* out, float* rstd, std::int64_t rows,
          std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row, x += n, out += n) {
    V squares{};
    for (std::int64_t j = 0; j < n; j += kLanes) {
      const V v = load(x + j, n - j);
      squares += v * v;
    }
    const float r = 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(n) + epsilon);
    if (rstd != nullptr) rstd[row] = r;
    for (std::int64_t j = 0; j < n; j += kLanes) {
      store(out + j, load(x + j, n - j) * splat(r) * load(weight + j, n - j), n - j);
    }
  }
}

template <typename T>
void norm_backward(const float* x, const float* weight, const float* rstd, const T* dout, float* dx,
                   float* dweight, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row, x += n, dout += n, dx += n) {
    V dot{};
    const V r = splat(rstd[row]);
    for (std::int64_t j = 0; j < n; j += kLanes) {
      const V d = load(dout + j, n - j), normed = load(x + j, n - j) * r;
      store(dweight + j, load(dweight + j, n - j) + d * normed, n - j);
      dot += d * load(weight + j, n - j) * normed;
    }
    const V mean = splat(sum(dot) / static_cast<float>(n));
    for (std::int64_t j = 0; j < n; j += kLanes) {
      const V d = load(dout + j, n - j) * load(weight + j, n - j);
      store(dx + j, load(dx + j, n - j) + r * (d - mean * r * load(x + j, n - j)), n - j);
    }
  }
}

template <typename T>
void add_column_sums(const T* x, std::int64_t ld, float* sums, std::int64_t rows, std::int64_t n) {
  constexpr int kVectors = 4;
  std::int64_t j = 0;
  for (; j + kVectors * kLanes <= n; j += kVectors * kLanes) {
    V total[kVectors] = {};
    for (std::int64_t row = 0; row < rows; ++row) {
      for (int i = 0; i < kVectors; ++i) total[i] += load(x + row * ld + j + i * kLanes);
    }
    for (int i = 0; i < kVectors; ++i) {
      store(sums + j + i * kLanes, load(sums + j + i * kLanes) + total[i]);
    }
  }
  for (; j < n; j += kLanes) {
    V total{};
    for (std::int64_t row = 0; row < rows; ++row) total += load(x + row * ld + j, n - j);
    store(sums + j, load(sums + j, n - j) + total, n - j);
  }
}

template <typename T>
void add_dropout(const float* x, const T* y, float* out, const DropoutMask& mask, std::int64_t rows,
                 std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row, x += n, y += n, out += n) {
    const MaskRow kept(mask, row);
    for (std::int64_t j = 0; j < n; j += kLanes) {
      store(out + j, load(x + j, n - j) + kept.apply(load(y + j, n - j), j), n - j);
    }
  }
}

template <typename From, typename To>
void dropout(const From* x, To* out, float factor, const DropoutMask& mask, std::int64_t rows,
             std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row, x += n, out += n) {
    const MaskRow kept(mask, row);
    for (std::int64_t j = 0; j < n; j += kLanes) {
      store(out + j, kept.apply(load(x + j, n - j) * splat(factor), j), n - j);
    }
  }
}

template <typename T>
void relu(T* x, const DropoutMask& mask, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row, x += n) {
    const MaskRow kept(mask, row);
    for (std::int64_t j = 0; j < n; j += kLanes) {
      store(x + j, kept.apply(maximum(load(x + j, n - j), V{}), j), n - j);
    }
  }
}

template <typename T>
void relu_backward(const T* out, T* dy, float scale, std::int64_t count) {
  for (std::int64_t j = 0; j < count; j += kLanes) {
    const V d = load(dy + j, count - j) * splat(scale);
    store(dy + j, load(out + j, count - j) > V{} ? d : V{}, count - j);
  }
}

/// tanh(sqrt(2 / pi) (x + 0.044715 x^3)), the heart of gelu_new.
inline V gelu_tanh(V x) {
  const V inner = splat(0.7978845608f) * (x + splat(0.044715f) * x * x * x);
  return splat(1.0f) - splat(2.0f) / (exponential(inner * splat(2.0f)) + splat(1.0f));
}

template <typename T>
void gated_gelu(const T* both, T* out, const DropoutMask& mask, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row, both += 2 * n, out += n) {
    const MaskRow kept(mask, row);
    for (std::int64_t j = 0; j < n; j += kLanes) {
      const V gate = load(both + j, n - j), linear = load(both + n + j, n - j);
      const V active = splat(0.5f) * gate * (splat(1.0f) + gelu_tanh(gate));
      store(out + j, kept.apply(active * linear, j), n - j);
    }
  }
}

template <typename T>
void gated_gelu_backward(const T* both, const T* dout, T* dboth, const DropoutMask& mask, std::int64_t rows,
                         std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row, both += 2 * n, dout += n, dboth += 2 * n) {
    const MaskRow kept(mask, row);
    for (std::int64_t j = 0; j < n; j += kLanes) {
      const V gate = load(both + j, n - j), linear = load(both + n + j, n - j);
      const V d = kept.apply(load(dout + j, n - j), j);
      const V t = gelu_tanh(gate), half = splat(0.5f), one = splat(1.0f);
      const V dinner = splat(0.7978845608f) * (one + splat(3 * 0.044715f) * gate * gate);
      const V slope = half * (one + t) + half * gate * (one - t * t) * dinner;
      store(dboth + j, d * linear * slope, n - j);
      store(dboth + n + j, d * half * gate * (one + t), n - j);
    }
  }
}

template <typename T>
void fill_rows(Kernels<T>& table) {
  table.norm = norm<T>;
  table.norm_backward = norm_backward<T>;
  table.add_column_sums = add_column_sums<T>;
  table.add_dropout = add_dropout<T>;
  table.dropout_from_float = dropout<float, T>;
  table.dropout_to_float = dropout<T, float>;
  table.relu = relu<T>;
  table.relu_backward = relu_backward<T>;
  table.gated_gelu = gated_gelu<T>;
  table.gated_gelu_backward = gated_gelu_backward<T>;
}
template void fill_rows(Kernels<float>&);
template void fill_rows(Kernels<Bf16>&);

}  // namespace genrec::GENREC_ISA
