#include "nn/step_attention.h"

#include "nn/indices.h"
#include "nn/kernel_call.h"
#include "nn/packed.h"

namespace genrec {
namespace {

at::Tensor composite(const at::Tensor& q, const std::vector<at::Tensor>& kv,
                     std::span<const std::int32_t> paths, const at::Tensor& bias) {
  const std::int64_t rows = q.size(0), heads = bias.size(0), dim = q.size(1) / heads;
  const auto steps = static_cast<std::int64_t>(kv.size());
  const at::Tensor path = index_on(paths, q.device()).view({rows, steps});
  std::vector<at::Tensor> past;
  for (std::int64_t s = 0; s < steps; ++s) {
    past.push_back(kv[static_cast<std::size_t>(s)].index_select(0, path.select(1, s)));
  }
  // [rows, steps, 2, heads, dim]
  const at::Tensor all = at::stack(past, 1).to(at::kFloat).view({rows, steps, 2, heads, dim});
  const at::Tensor keys = all.select(2, 0).transpose(1, 2), values = all.select(2, 1).transpose(1, 2);
  const at::Tensor query = q.to(at::kFloat).view({rows, heads, 1, dim});
  const at::Tensor scores = at::matmul(query, keys.transpose(2, 3)) + bias.view({1, heads, 1, steps});
  return at::matmul(at::softmax(scores, -1), values).reshape({rows, heads * dim}).to(q.scalar_type());
}

}  // namespace

at::Tensor step_attention(const at::Tensor& q, const std::vector<at::Tensor>& kv,
                          std::span<const std::int32_t> paths, const at::Tensor& bias) {
  if (!uses_kernels(q)) return composite(q, kv, paths, bias);
  const std::int64_t rows = q.size(0), heads = bias.size(0), inner = q.size(1);
  const auto steps = static_cast<std::int64_t>(kv.size());
  at::Tensor out = at::empty({rows, inner}, q.options());
  by_precision(q, [&]<typename T>(T) {
    parallel_rows(rows, inner * steps, [&](std::int64_t first, std::int64_t count) {
      std::vector<const T*> keys(kv.size()), values(kv.size());
      std::vector<float> scores(kv.size());
      for (std::int64_t row = first; row < first + count; ++row) {
        for (std::size_t s = 0; s < kv.size(); ++s) {
          const std::int32_t from = paths[static_cast<std::size_t>(row) * kv.size() + s];
          keys[s] = elements<T>(kv[s]) + from * kv[s].stride(0);
          values[s] = keys[s] + inner;
        }
        kernels<T>().attention_step(elements<T>(q) + row * q.stride(0), keys.data(), values.data(), steps,
                                    heads, inner / heads, elements<float>(bias), scores.data(),
                                    elements<T>(out) + row * inner);
      }
    });
  });
  return out;
}

}  // namespace genrec
