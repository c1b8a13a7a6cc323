#pragma once
#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "cf/sasrec.h"

namespace genrec::test {

/// SASRec once more, in float64, one sequence at a time with whole attention matrices, by elementary
/// operations only; autograd differentiates it.
class DenseSasRec {
 public:
  explicit DenseSasRec(SasRec& model) : options_(model.options()) {
    ParameterStore& store = model.parameters();
    for (std::size_t i = 0; i < store.entries().size(); ++i) {
      at::Tensor exact = store.value(i).to(at::kDouble);
      exact.set_requires_grad(true);
      parameters_[store.entries()[i].name] = exact;
    }
  }
  [[nodiscard]] const at::Tensor& parameter(const std::string& name) const { return parameters_.at(name); }

  /// [sequence, width]
  [[nodiscard]] at::Tensor hidden(const std::vector<std::int64_t>& items) const {
    const auto length = static_cast<std::int64_t>(items.size());
    const std::int64_t first = options_.positions_from_end ? options_.history - length : 0;
    const at::Tensor e = parameter("item_embedding.weight").index_select(0, at::tensor(items, at::kLong));
    const at::Tensor p = parameter("position_embedding.weight").narrow(0, first, length);
    const bool pre = options_.pre_norm;
    at::Tensor x = pre ? e * std::sqrt(static_cast<double>(options_.width)) + p : norm(e + p, "norm");
    for (std::int64_t i = 0; i < options_.layers; ++i) {
      std::string layer("layers.");
      layer += std::to_string(i) + ".";
      const std::string first_norm = layer + "attention_norm", second_norm = layer + "feed_forward_norm";
      x = x + attention(pre ? norm(x, first_norm) : x, layer + "attention.");
      if (!pre) x = norm(x, first_norm);
      const at::Tensor y = linear(pre ? norm(x, second_norm) : x, layer + "inner");
      x = x + linear(0.5 * y * (1 + at::erf(y / std::sqrt(2.0))), layer + "outer");
      if (!pre) x = norm(x, second_norm);
    }
    return pre ? norm(x, "norm") : x;
  }

 private:
  [[nodiscard]] at::Tensor linear(const at::Tensor& x, const std::string& name) const {
    return at::mm(x, parameter(name + ".weight").t()) + parameter(name + ".bias");
  }
  [[nodiscard]] at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    const at::Tensor centred = x - x.mean(1, true);
    const at::Tensor deviation = (centred.square().mean(1, true) + 1e-8).sqrt();
    return centred / deviation * parameter(name + ".weight") + parameter(name + ".bias");
  }
  [[nodiscard]] at::Tensor attention(const at::Tensor& x, const std::string& name) const {
    const std::int64_t width = options_.width, dim = width / options_.heads, length = x.size(0);
    const at::Tensor qkv = at::mm(x, parameter(name + "qkv.weight").t());
    const at::Tensor later = at::ones({length, length}, at::kBool).triu(1);
    std::vector<at::Tensor> heads;
    for (std::int64_t h = 0; h < options_.heads; ++h) {
      const at::Tensor q = qkv.narrow(1, h * dim, dim), k = qkv.narrow(1, width + h * dim, dim),
                       v = qkv.narrow(1, 2 * width + h * dim, dim);
      const at::Tensor scores = at::mm(q, k.t()) / std::sqrt(static_cast<double>(dim));
      heads.push_back(at::mm(at::softmax(scores.masked_fill(later, -1e30), 1), v));
    }
    return linear(at::cat(heads, 1), name + "out");
  }

  SasRecOptions options_;
  std::map<std::string, at::Tensor> parameters_;
};

}  // namespace genrec::test
