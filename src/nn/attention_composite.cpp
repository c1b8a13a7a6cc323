#include "nn/attention.h"

namespace genrec {
namespace {

/// A packed tensor as [sequences, heads, longest, dim] float32, zeros for padding.
at::Tensor padded(const at::Tensor& x, const PackedLayout& layout, std::int64_t heads) {
  const PaddedIndex& index = layout.padded_index();
  const std::int64_t sequences = layout.sequences(), longest = layout.longest;
  at::Tensor out = x.index_select(0, index.to_padded).to(at::kFloat);
  out = out.view({sequences, longest, heads, x.size(1) / heads});
  out.mul_(index.used.view({sequences, longest, 1, 1}));
  return out.transpose(1, 2).contiguous();
}

/// The inverse: [tokens, heads * dim].
at::Tensor packed(const at::Tensor& wide, const PackedLayout& layout) {
  return wide.transpose(1, 2)
      .reshape({wide.size(0) * wide.size(2), wide.size(1) * wide.size(3)})
      .index_select(0, layout.padded_index().to_packed);
}

/// bias[head, key - query + longest - 1] for every pair: [heads, longest, longest].
at::Tensor pair_bias(const at::Tensor& bias) {
  return bias.unfold(1, (bias.size(1) + 1) / 2, 1).flip(1);
}

/// Its gradient: sums along the diagonals of d [heads, longest, longest]. With every row one place further to
/// the right than the row after it, diagonals stand below each other: one sum, always in the same order.
at::Tensor diagonal_sums(const at::Tensor& d) {
  const std::int64_t heads = d.size(0), longest = d.size(1), distances = 2 * longest - 1;
  const at::Tensor rows = at::constant_pad_nd(d.flip(1), {0, longest}).flatten(1);
  return rows.narrow(1, 0, longest * distances).view({heads, longest, distances}).sum(1);
}

}  // namespace

at::Tensor attention_composite(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const AttentionSpec& spec, at::Tensor* probabilities) {
  const PackedLayout &queries = *spec.queries, &keys = *spec.keys;
  at::Tensor scores = at::matmul(padded(q, queries, spec.heads), padded(k, keys, spec.heads).transpose(2, 3));
  if (spec.bias.defined()) scores.add_(pair_bias(spec.bias));
  at::Tensor hidden = keys.padded_index().used.eq(0).view({keys.sequences(), 1, 1, keys.longest});
  if (spec.causal) {
    const at::Tensor ones = at::ones({queries.longest, keys.longest}, hidden.options());
    hidden = hidden.logical_or(ones.triu(1));
  }
  scores.masked_fill_(hidden, -3.0e38);
  at::Tensor p = at::softmax(scores, -1);
  if (probabilities != nullptr) *probabilities = p;
  if (spec.dropout.active()) p = p * spec.dropout.head_factors(queries, spec.heads, keys.longest);
  return packed(at::matmul(p, padded(v, keys, spec.heads)), queries).to(q.scalar_type());
}

void attention_composite_backward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                  const at::Tensor& probabilities, const at::Tensor& dout,
                                  const AttentionSpec& spec, const AttentionGradients& gradients) {
  const PackedLayout &queries = *spec.queries, &keys = *spec.keys;
  const at::Tensor wide_out = padded(dout, queries, spec.heads), wide_v = padded(v, keys, spec.heads);
  at::Tensor dropped = probabilities, dp = at::matmul(wide_out, wide_v.transpose(2, 3));
  if (spec.dropout.active()) {
    const at::Tensor factors = spec.dropout.head_factors(queries, spec.heads, keys.longest);
    dropped = probabilities * factors;
    dp.mul_(factors);
  }
  // Padding queries have dout 0, so dp and dscores are 0 there.
  const at::Tensor dscores = probabilities * (dp - (dp * probabilities).sum(-1, true));
  gradients.dv.copy_(packed(at::matmul(dropped.transpose(2, 3), wide_out), keys));
  gradients.dq.copy_(packed(at::matmul(dscores, padded(k, keys, spec.heads)), queries));
  gradients.dk.copy_(packed(at::matmul(dscores.transpose(2, 3), padded(q, queries, spec.heads)), keys));
  if (gradients.dbias.defined()) gradients.dbias.add_(diagonal_sums(dscores.sum(0)));
}

}  // namespace genrec
