#include "nn/residual_quantizer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "nn/autograd_context.h"
#include "nn/indices.h"
#include "nn/packed.h"
#include "nn/row_minima.h"

namespace genrec {
namespace {

/// Flat numbers of codes [n, levels]: rows of the codebooks one below the other, level by level, [levels *
/// n].
at::Tensor flat_codes(const at::Tensor& codes, std::int64_t codebook_size) {
  const at::Tensor first_rows = at::arange(codes.size(1), codes.options()).mul_(codebook_size);
  return (codes.t() + first_rows.unsqueeze(1)).reshape({-1});
}

at::Tensor sum_of_squares(const at::Tensor& a, const at::Tensor& b) {
  return at::mse_loss(a, b, at::Reduction::Sum);
}

/// The sums of the rows [n, dim] that have the same place: [places, dim].
at::Tensor sums_by_place(const at::Tensor& rows, const at::Tensor& place, std::int64_t places) {
  at::Tensor sums = at::zeros({places, rows.size(1)}, rows.options());
  if (!uses_kernels(rows)) {
    add_rows(sums, place, rows);
    return sums;
  }
  // ATen's index_add_ calls an operation for each row.
  const std::int64_t dim = rows.size(1);
  const auto* row = rows.const_data_ptr<float>();
  const auto* to = place.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < rows.size(0); ++i, row += dim) {
    float* sum = sums.data_ptr<float>() + to[i] * dim;
    for (std::int64_t j = 0; j < dim; ++j) sum[j] += row[j];
  }
  return sums;
}

/// codebook loss + commitment * commitment loss with the gradient of the code, as sums. Both are squares of
/// what the levels leave, r - q. A code gets its rows' share of it, z that of the first level: to the later
/// ones it has no gradient.
struct CodeLossFunction : torch::autograd::Function<CodeLossFunction> {
  struct Saved {
    at::Tensor codes;  ///< [n, levels]
    at::Tensor rests;  ///< [levels, n, dim]
    std::int64_t codebook_size;
    double commitment;
  };
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& codebooks,
                            const at::Tensor& /*z*/, const ResidualCodes& detail, double commitment) {
    const at::Tensor rests = detail.residuals.narrow(0, 1, codebooks.size(0));
    hold(context, Saved{detail.codes, rests, codebooks.size(1), commitment});
    return rests.square().sum().mul_(1 + commitment);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = held<Saved>(context);
    const at::Tensor& gradient = gradients[0];
    const std::int64_t levels = saved.rests.size(0), dim = saved.rests.size(2);
    const at::Tensor sums =
        sums_by_place(saved.rests.reshape({-1, dim}), flat_codes(saved.codes, saved.codebook_size),
                      levels * saved.codebook_size);
    return {sums.mul_(gradient * -2).view({levels, saved.codebook_size, dim}),
            saved.rests.select(0, 0) * (gradient * (2 * saved.commitment)), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor square_distances(const at::Tensor& x, const at::Tensor& codebook) {
  return at::addmm(codebook.square().sum(1).unsqueeze(0), x, codebook.t(), /*beta=*/1, /*alpha=*/-2)
      .add_(x.square().sum(1).unsqueeze(1));
}

at::Tensor nearest_codes(const at::Tensor& x, const at::Tensor& codebook) {
  return first_minima(
      at::addmm(codebook.square().sum(1).unsqueeze(0), x, codebook.t(), /*beta=*/1, /*alpha=*/-2));
}

ResidualQuantizer::ResidualQuantizer(ParameterStore& store, const std::string& name,
                                     const ResidualQuantizerOptions& options)
    : store_(store), options_(options) {
  if (options.levels < 1 || options.codes < 1 || options.dim < 1) {
    throw Error(ExitCode::kInternal, name + ": levels, codes and dimensions must be positive");
  }
  parameter_ = store.add(name + ".codebooks", {options.levels, options.codes, options.dim}, true);
}

void ResidualQuantizer::initialise(std::uint64_t seed) {
  const at::NoGradGuard no_gradients;
  at::Tensor host = at::empty({options_.levels, options_.codes, options_.dim}, at::kFloat);
  auto* out = host.data_ptr<float>();
  RandomStream stream(seed, Purpose::kInitialisation, {parameter_});
  const double width = 1.0 / static_cast<double>(options_.codes);
  for (std::int64_t i = 0; i < host.numel(); ++i) {
    out[i] = static_cast<float>(width * (2 * stream.uniform() - 1));
  }
  codebooks().copy_(host);
  store_.refresh_compute();
}

ResidualCodes ResidualQuantizer::assign(const at::Tensor& codebooks, const at::Tensor& z,
                                        const QuantizeRequest& request) const {
  const at::NoGradGuard no_gradients;
  const at::Tensor books = codebooks.detach(), from = z.detach();
  ResidualCodes result;
  result.residuals = at::empty({options_.levels + 1, from.size(0), options_.dim}, from.options());
  result.residuals.select(0, 0).copy_(from);
  std::vector<at::Tensor> codes;
  for (std::int64_t level = 0; level < options_.levels; ++level) {
    const at::Tensor book = books.select(0, level), residual = result.residuals.select(0, level);
    const bool last = level + 1 == options_.levels;
    if (request.distances) result.distances.push_back(square_distances(residual, book));
    if (last && request.last_level) {
      codes.push_back(request.last_level(residual, book));
    } else {
      codes.push_back(nearest_codes(residual, book));
    }
    at::Tensor rest = result.residuals.select(0, level + 1);
    at::sub_out(rest, residual, at::embedding(book, codes.back()));
  }
  result.codes = at::stack(codes, 1);
  result.quantized = from - result.residuals.select(0, options_.levels);
  return result;
}

at::Tensor ResidualQuantizer::paper_loss(const at::Tensor& codebooks, const at::Tensor& z,
                                         const ResidualCodes& detail) const {
  at::Tensor residual = z, loss;
  for (std::int64_t level = 0; level < options_.levels; ++level) {
    const at::Tensor chosen = at::embedding(codebooks.select(0, level), detail.codes.select(1, level));
    const at::Tensor term = sum_of_squares(chosen, residual.detach()) +
                            sum_of_squares(residual, chosen.detach()) * options_.commitment;
    loss = loss.defined() ? loss + term : term;
    residual = residual - chosen;
  }
  return loss;
}

Quantized ResidualQuantizer::forward(const at::Tensor& codebooks, const at::Tensor& z,
                                     const QuantizeRequest& request) const {
  Quantized result;
  result.detail = assign(codebooks, z, request);
  const std::int64_t rows = request.mean_over > 0 ? request.mean_over : z.size(0);
  const double elements = static_cast<double>(rows * options_.dim * options_.levels);
  const at::Tensor sum = options_.paper_gradient
                             ? paper_loss(codebooks, z, result.detail)
                             : CodeLossFunction::apply(codebooks, z, result.detail, options_.commitment);
  result.loss = sum * (1.0 / elements);
  result.z_hat = z - result.detail.residuals.select(0, options_.levels);
  return result;
}

ResidualCodes ResidualQuantizer::encode(const at::Tensor& z, const QuantizeRequest& request) const {
  return assign(codebooks(), z, request);
}

std::vector<CodebookUse> codebook_use(const at::Tensor& codes, std::int64_t codebook_size) {
  const std::int64_t levels = codes.size(1);
  const at::Tensor counts = at::bincount(flat_codes(codes, codebook_size).cpu(), {}, levels * codebook_size);
  const auto* count = counts.const_data_ptr<std::int64_t>();
  std::vector<CodebookUse> uses;
  for (std::int64_t level = 0; level < levels; ++level, count += codebook_size) {
    CodebookUse use;
    use.codes = codebook_size;
    for (std::int64_t k = 0; k < codebook_size; ++k) {
      if (count[k] == 0) continue;
      ++use.used;
      use.largest = std::max(use.largest, count[k]);
      const double share = static_cast<double>(count[k]) / static_cast<double>(codes.size(0));
      use.entropy_bits -= share * std::log2(share);
    }
    use.perplexity = std::exp2(use.entropy_bits);
    uses.push_back(use);
  }
  return uses;
}

}  // namespace genrec
