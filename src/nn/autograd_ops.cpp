#include "nn/autograd_ops.h"

#include "nn/activation.h"
#include "nn/autograd_context.h"

namespace genrec {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Dropout& dropout) {
    hold(context, dropout);
    return scaled_dropout(x.contiguous(), 1, dropout, at::kFloat);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {scaled_dropout(gradients[0].contiguous(), 1, held<Dropout>(context), at::kFloat), at::Tensor()};
  }
};

struct ScaledSpec {
  AttentionSpec spec;
  double scale = 1;
};

struct Parts {
  explicit Parts(const at::Tensor& qkv)
      : width(qkv.size(1) / 3),
        q(qkv.narrow(1, 0, width)),
        k(qkv.narrow(1, width, width)),
        v(qkv.narrow(1, 2 * width, width)) {}
  std::int64_t width;
  at::Tensor q, k, v;
};

/// attention() does not scale: the queries are.
at::Tensor with_scaled_queries(const at::Tensor& qkv, double scale) {
  at::Tensor scaled = qkv.detach().clone();
  Parts(scaled).q.mul_(scale);
  return scaled;
}

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv, const ScaledSpec& scaled_spec) {
    const at::Tensor scaled = with_scaled_queries(qkv, scaled_spec.scale);
    const Parts parts(scaled);
    at::Tensor probabilities;
    at::Tensor out = attention(parts.q, parts.k, parts.v, scaled_spec.spec, &probabilities);
    context->save_for_backward({scaled, probabilities});
    hold(context, scaled_spec);
    return out;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto [spec, scale] = held<ScaledSpec>(context);
    const Parts parts(saved[0]);
    at::Tensor dqkv = at::empty_like(saved[0]);
    const Parts d(dqkv);
    attention_backward(parts.q, parts.k, parts.v, saved[1], gradients[0].contiguous(), spec,
                       AttentionGradients{d.q, d.k, d.v, at::Tensor()});
    d.q.mul_(scale);
    return {dqkv, at::Tensor()};
  }
};

}  // namespace

at::Tensor dropped(const at::Tensor& x, const Dropout& dropout) {
  if (!dropout.active()) return x;
  return DropoutFunction::apply(x, dropout);
}

at::Tensor packed_self_attention(const at::Tensor& qkv, const AttentionSpec& spec, double scale) {
  if (qkv.requires_grad()) return AttentionFunction::apply(qkv, ScaledSpec{spec, scale});
  const at::Tensor scaled = with_scaled_queries(qkv, scale);
  const Parts parts(scaled);
  return attention(parts.q, parts.k, parts.v, spec, nullptr);
}

}  // namespace genrec
