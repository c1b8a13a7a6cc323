#include "nn/attention.h"

#include <algorithm>
#include <vector>

#include "nn/kernel_call.h"

namespace genrec {
namespace {

/// Memory that a thread keeps for its kernel calls.
float* scratch(std::int64_t floats) {
  thread_local std::vector<float> memory;
  if (static_cast<std::int64_t>(memory.size()) < floats) memory.resize(static_cast<std::size_t>(floats));
  return memory.data();
}

/// First element of each sequence's probabilities: [heads, queries, keys] one sequence behind the other.
std::vector<std::int64_t> probability_offsets(const AttentionSpec& spec) {
  std::vector<std::int64_t> offsets{0};
  for (std::int64_t s = 0; s < spec.queries->sequences(); ++s) {
    offsets.push_back(offsets.back() + spec.heads * spec.queries->length(s) * spec.keys->length(s));
  }
  return offsets;
}

/// f(sequence, head) for all of them, by the threads in equal shares of the work: the longest of a batch
/// takes many times as long as the shortest. Work is the scores; to copy a row of q, k or v takes as long as
/// some 8 of them.
template <typename F>
void for_each_head(const AttentionSpec& spec, F f) {
  std::vector<std::int64_t> work{0};  // before each head of each sequence
  for (std::int64_t s = 0; s < spec.queries->sequences(); ++s) {
    const std::int64_t queries = spec.queries->length(s), keys = spec.keys->length(s);
    for (std::int64_t head = 0; head < spec.heads; ++head) {
      work.push_back(work.back() + queries * keys + 8 * (queries + keys));
    }
  }
  const auto tasks = static_cast<std::int64_t>(work.size()) - 1;
  const std::int64_t shares = std::clamp<std::int64_t>(tasks, 1, at::get_num_threads());
  const auto first = [&](std::int64_t share) {
    return std::ranges::lower_bound(work, work.back() * share / shares) - work.begin();
  };
  at::parallel_for(0, shares, 1, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t last = end == shares ? tasks : first(end);
    for (std::int64_t task = first(begin); task < last; ++task) f(task / spec.heads, task % spec.heads);
  });
}

template <typename T>
AttentionHead<T> head_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         const AttentionSpec& spec, std::int64_t sequence, std::int64_t head) {
  const auto s = static_cast<std::size_t>(sequence);
  const std::int64_t dim = q.size(1) / spec.heads;
  const std::int64_t query = spec.queries->offsets[s], key = spec.keys->offsets[s];
  AttentionHead<T> h{};
  h.ldq = q.stride(0);
  h.ldk = k.stride(0);
  h.ldv = v.stride(0);
  h.q = elements<T>(q) + query * h.ldq + head * dim;
  h.k = elements<T>(k) + key * h.ldk + head * dim;
  h.v = elements<T>(v) + key * h.ldv + head * dim;
  h.queries = spec.queries->length(sequence);
  h.keys = spec.keys->length(sequence);
  h.dim = dim;
  h.causal = spec.causal;
  h.followed = head + 1 < spec.heads;
  h.bias = spec.bias.defined() ? elements<float>(spec.bias) + head * spec.bias.size(1) + spec.bias.size(1) / 2
                               : nullptr;
  h.dropout = spec.dropout.mask(query, head);
  h.scratch = scratch(attention_scratch(h.queries, h.keys, dim));
  return h;
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionSpec& spec,
                     at::Tensor* probabilities) {
  if (!uses_kernels(q)) return attention_composite(q, k, v, spec, probabilities);
  const std::int64_t dim = q.size(1) / spec.heads;
  at::Tensor out = at::empty({q.size(0), q.size(1)}, q.options());
  std::vector<std::int64_t> offsets;
  if (probabilities != nullptr) {
    offsets = probability_offsets(spec);
    *probabilities = at::empty({offsets.back()}, q.options().dtype(at::kFloat));
  }
  by_precision(q, [&]<typename T>(T) {
    for_each_head(spec, [&](std::int64_t sequence, std::int64_t head) {
      AttentionHead<T> h = head_of<T>(q, k, v, spec, sequence, head);
      const auto s = static_cast<std::size_t>(sequence);
      if (probabilities != nullptr) {
        h.probabilities = elements<float>(*probabilities) + offsets[s] + head * h.queries * h.keys;
      }
      kernels<T>().attention(h, elements<T>(out) + spec.queries->offsets[s] * out.stride(0) + head * dim,
                             out.stride(0));
    });
  });
  return out;
}

void attention_backward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        const at::Tensor& probabilities, const at::Tensor& dout, const AttentionSpec& spec,
                        const AttentionGradients& gradients) {
  if (!uses_kernels(q)) {
    attention_composite_backward(q, k, v, probabilities, dout, spec, gradients);
    return;
  }
  const std::int64_t dim = q.size(1) / spec.heads;
  const std::vector<std::int64_t> offsets = probability_offsets(spec);
  // One bias gradient a sequence, added up afterwards in the order of the sequences.
  at::Tensor partial;
  const bool biased = gradients.dbias.defined();
  const std::int64_t distances = biased ? gradients.dbias.size(1) : 0;
  if (biased) {
    partial = at::zeros({spec.queries->sequences(), spec.heads, distances}, q.options().dtype(at::kFloat));
  }
  by_precision(q, [&]<typename T>(T) {
    for_each_head(spec, [&](std::int64_t sequence, std::int64_t head) {
      AttentionHead<T> h = head_of<T>(q, k, v, spec, sequence, head);
      const auto s = static_cast<std::size_t>(sequence);
      const std::int64_t query = spec.queries->offsets[s], key = spec.keys->offsets[s];
      h.probabilities = elements<float>(probabilities) + offsets[s] + head * h.queries * h.keys;
      const auto rows_of = [&](const at::Tensor& t, std::int64_t row) {
        return elements<T>(t) + row * t.stride(0) + head * dim;
      };
      AttentionHeadGradient<T> g{};
      g.dout = rows_of(dout, query);
      g.dq = rows_of(gradients.dq, query);
      g.dk = rows_of(gradients.dk, key);
      g.dv = rows_of(gradients.dv, key);
      g.lddo = dout.stride(0);
      g.lddq = gradients.dq.stride(0);
      g.lddk = gradients.dk.stride(0);
      g.lddv = gradients.dv.stride(0);
      g.dbias = biased ? elements<float>(partial) + (sequence * spec.heads + head) * distances + distances / 2
                       : nullptr;
      kernels<T>().attention_backward(h, g);
    });
  });
  if (biased) gradients.dbias.add_(partial.sum(0));
}

}  // namespace genrec
