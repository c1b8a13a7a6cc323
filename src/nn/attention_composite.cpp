#include "nn/attention.h"

namespace genrec {
namespace {

/// Rows of a packed tensor as [sequences, heads, longest, dim] float32, zeros for padding.
at::Tensor padded(const at::Tensor& packed, const at::Tensor& rows, std::int64_t heads) {
  const at::Tensor flat = rows.clamp_min(0).flatten();
  at::Tensor out = packed.index_select(0, flat).to(at::kFloat);
  out = out.view({rows.size(0), rows.size(1), heads, -1});
  out.mul_(rows.ge(0).view({rows.size(0), rows.size(1), 1, 1}));
  return out.transpose(1, 2).contiguous();
}

/// The inverse, into a packed view.
void unpad(const at::Tensor& wide, const at::Tensor& rows, const at::Tensor& packed) {
  const at::Tensor chosen = at::nonzero(rows.flatten().ge(0)).squeeze(1);
  const at::Tensor flat = wide.transpose(1, 2).reshape({rows.numel(), -1});
  const at::Tensor target = rows.flatten().index_select(0, chosen);
  packed.index_copy_(0, target, flat.index_select(0, chosen).to(packed.scalar_type()));
}

/// key - query + longest - 1 for every pair: columns of the bias table.
at::Tensor distance_index(const AttentionSpec& spec) {
  const auto options = at::TensorOptions().dtype(at::kLong).device(spec.bias.device());
  const at::Tensor query = at::arange(spec.queries->longest, options).unsqueeze(1);
  const at::Tensor key = at::arange(spec.keys->longest, options).unsqueeze(0);
  return (key - query + spec.bias.size(1) / 2).clamp(0, spec.bias.size(1) - 1);
}

/// Dropout factors [sequences, heads, queries, keys], zero rows for padding.
at::Tensor dropout_factors(const AttentionSpec& spec, const at::Tensor& query_rows) {
  const at::Tensor all = spec.dropout.head_factors(spec.heads, spec.keys->longest);
  const at::Tensor chosen = all.index_select(0, query_rows.clamp_min(0).flatten());
  return chosen.view({query_rows.size(0), query_rows.size(1), spec.heads, -1}).transpose(1, 2);
}

}  // namespace

at::Tensor attention_composite(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const AttentionSpec& spec, at::Tensor* probabilities) {
  const at::Tensor query_rows = spec.queries->padded_rows(), key_rows = spec.keys->padded_rows();
  const at::Tensor wide_q = padded(q, query_rows, spec.heads), wide_k = padded(k, key_rows, spec.heads);
  at::Tensor scores = at::matmul(wide_q, wide_k.transpose(2, 3));
  if (spec.bias.defined()) {
    const at::Tensor index = distance_index(spec);
    scores.add_(spec.bias.index_select(1, index.flatten())
                    .view({1, spec.heads, spec.queries->longest, spec.keys->longest}));
  }
  at::Tensor hidden = key_rows.lt(0).view({key_rows.size(0), 1, 1, key_rows.size(1)});
  if (spec.causal) {
    const at::Tensor ones = at::ones({spec.queries->longest, spec.keys->longest}, hidden.options());
    hidden = hidden.logical_or(ones.triu(1));
  }
  scores.masked_fill_(hidden, -3.0e38);
  at::Tensor p = at::softmax(scores, -1);
  if (probabilities != nullptr) *probabilities = p;
  if (spec.dropout.active()) p = p * dropout_factors(spec, query_rows);
  at::Tensor out = at::empty({q.size(0), q.size(1)}, q.options());
  unpad(at::matmul(p, padded(v, key_rows, spec.heads)), query_rows, out);
  return out;
}

void attention_composite_backward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                  const at::Tensor& probabilities, const at::Tensor& dout,
                                  const AttentionSpec& spec, const AttentionGradients& gradients) {
  const at::Tensor query_rows = spec.queries->padded_rows(), key_rows = spec.keys->padded_rows();
  const at::Tensor wide_out = padded(dout, query_rows, spec.heads), wide_v = padded(v, key_rows, spec.heads);
  at::Tensor dropped = probabilities, dp = at::matmul(wide_out, wide_v.transpose(2, 3));
  if (spec.dropout.active()) {
    const at::Tensor factors = dropout_factors(spec, query_rows);
    dropped = probabilities * factors;
    dp = dp * factors;
  }
  // Padding queries have dout 0, so dp and dscores are 0 there.
  const at::Tensor dscores = probabilities * (dp - (dp * probabilities).sum(-1, true));
  unpad(at::matmul(dropped.transpose(2, 3), wide_out), key_rows, gradients.dv);
  unpad(at::matmul(dscores, padded(k, key_rows, spec.heads)), query_rows, gradients.dq);
  unpad(at::matmul(dscores.transpose(2, 3), padded(q, query_rows, spec.heads)), key_rows, gradients.dk);
  if (gradients.dbias.defined()) {
    gradients.dbias.index_add_(1, distance_index(spec).flatten(), dscores.sum(0).flatten(1));
  }
}

}  // namespace genrec
