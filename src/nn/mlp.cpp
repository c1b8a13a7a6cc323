#include "nn/mlp.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "nn/activation.h"
#include "nn/autograd_context.h"
#include "nn/precision.h"
#include "nn/products.h"

namespace genrec {
namespace {

/// [rows, columns] independent numbers of N(0, deviation^2).
at::Tensor normal_matrix(std::uint64_t seed, std::uint64_t parameter, std::int64_t rows, std::int64_t columns,
                         double deviation) {
  at::Tensor matrix = at::empty({rows, columns}, at::kFloat);
  auto* out = matrix.data_ptr<float>();
  at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      RandomStream stream(seed, Purpose::kInitialisation, {parameter, static_cast<std::uint64_t>(row)});
      for (std::int64_t j = 0; j < columns; ++j) {
        out[row * columns + j] = static_cast<float>(deviation * stream.normal());
      }
    }
  });
  return matrix;
}

}  // namespace

Mlp::Mlp(ParameterStore& store, const std::string& name, std::vector<std::int64_t> widths)
    : store_(store), widths_(std::move(widths)) {
  if (widths_.size() < 2) throw Error(ExitCode::kInternal, name + ": a network needs two widths or more");
  for (std::size_t layer = 0; layer < layers(); ++layer) {
    std::string prefix = name;
    prefix.append(".").append(std::to_string(layer));
    weights_.push_back(store.add(prefix + ".weight", {widths_[layer + 1], widths_[layer]}, true));
    biases_.push_back(store.add(prefix + ".bias", {widths_[layer + 1]}, true));
  }
}

void Mlp::initialise(std::uint64_t seed) {
  const at::NoGradGuard no_gradients;
  for (std::size_t layer = 0; layer < layers(); ++layer) {
    const std::int64_t in = widths_[layer], out = widths_[layer + 1];
    at::Tensor weight = store_.value(weights_[layer]), bias = store_.value(biases_[layer]);
    weight.copy_(
        normal_matrix(seed, weights_[layer], out, in, std::sqrt(2.0 / static_cast<double>(in + out))));
    bias.zero_();
  }
  store_.refresh_compute();
}

at::Tensor Mlp::run(const at::Tensor& x, const MlpDropout& dropout, Pass& pass) const {
  const auto dropout_of = [&dropout](std::size_t layer) {
    if (dropout.probability == 0) return Dropout();
    return Dropout(*dropout.rows, dropout.probability, dropout.site, static_cast<std::int64_t>(layer));
  };
  Dropout mask = dropout_of(0);
  at::Tensor y = scaled_dropout(x.contiguous(), 1, mask, scalar_type(store_.precision()));
  for (std::size_t layer = 0;; ++layer) {
    pass.inputs.push_back(y);
    pass.dropouts.push_back(mask);
    y = linear_layer(y, store_.compute(weights_[layer]), store_.compute(biases_[layer]));
    if (layer + 1 == layers()) return y.to(at::kFloat);
    mask = dropout_of(layer + 1);
    relu_dropout(y, mask);
  }
}

at::Tensor Mlp::backward(const Pass& pass, const at::Tensor& gradient, bool wants_x) const {
  at::Tensor dy = gradient.to(scalar_type(store_.precision())).contiguous();
  for (std::size_t layer = layers() - 1;; --layer) {
    const at::Tensor& input = pass.inputs[layer];
    add_weight_gradient(store_.gradient(weights_[layer]), dy, input);
    add_column_sums(store_.gradient(biases_[layer]), dy);
    if (layer == 0 && !wants_x) return {};
    at::Tensor dx = linear_input_gradient(dy, store_.compute(weights_[layer]));
    if (layer == 0) return scaled_dropout(dx, 1, pass.dropouts[0], at::kFloat);
    relu_dropout_backward(input, dx, pass.dropouts[layer]);
    dy = dx;
  }
}

struct MlpFunction : torch::autograd::Function<MlpFunction> {
  struct Saved {
    const Mlp* mlp;
    Mlp::Pass pass;
    bool wants_x;
  };
  /// `leaf` is not read: it makes autograd call the backward pass.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& /*leaf*/, const Mlp* mlp, const MlpDropout& dropout) {
    Saved saved{mlp, {}, x.requires_grad()};
    at::Tensor y = mlp->run(x.detach(), dropout, saved.pass);
    hold(context, std::move(saved));
    return y;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = held<Saved>(context);
    return {saved.mlp->backward(saved.pass, gradients[0], saved.wants_x), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

at::Tensor Mlp::forward(const AutogradLeaves& leaves, const at::Tensor& x, const MlpDropout& dropout) const {
  return MlpFunction::apply(x, leaves[weights_.front()], this, dropout);
}

at::Tensor Mlp::infer(const at::Tensor& x, Precision precision) const {
  const at::NoGradGuard no_gradients;
  if (precision == Precision::kBFloat16) {
    Pass pass;
    return run(x, MlpDropout(), pass);
  }
  at::Tensor y = x.contiguous();
  for (std::size_t layer = 0;; ++layer) {
    y = at::linear(y, store_.value(weights_[layer]), store_.value(biases_[layer]));
    if (layer + 1 == layers()) return y;
    relu_dropout(y, Dropout());
  }
}

}  // namespace genrec
