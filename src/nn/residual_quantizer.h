#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "nn/parameter_store.h"

namespace genrec {

struct ResidualQuantizerOptions {
  std::int64_t levels = 4;   ///< codebooks
  std::int64_t codes = 256;  ///< of a codebook
  std::int64_t dim = 32;     ///< of a code
  double commitment = 0.25;  ///< weight of the term that pulls residuals to codes
  /// false: straight-through at every level, as the released code does: a level's residual has no gradient
  /// with respect to the one before. true: residuals subtract the codes themselves, as the papers write it.
  bool paper_gradient = false;
};

/// |x_b - e_k|^2 as |x_b|^2 + |e_k|^2 - 2 x_b e_k: [n, dim], [codes, dim] -> [n, codes].
[[nodiscard]] at::Tensor square_distances(const at::Tensor& x, const at::Tensor& codebook);
/// The nearest code of every row, int64 [n], the lowest one of equals. |x_b|^2, the same for all codes of a
/// row, is left out.
[[nodiscard]] at::Tensor nearest_codes(const at::Tensor& x, const at::Tensor& codebook);

/// Gives the residuals [n, dim] of a level codes of its codebook [codes, dim], int64 [n]. Runs without
/// autograd.
using CodeAssigner = std::function<at::Tensor(const at::Tensor& residual, const at::Tensor& codebook)>;

/// How a batch is to be quantised.
struct QuantizeRequest {
  CodeAssigner last_level;     ///< of the last level; empty: nearest_codes, as all other levels
  bool distances = false;      ///< wanted in the result
  std::int64_t mean_over = 0;  ///< rows that the loss is a mean over: those of all ranks; 0: those given
};

/// Codes and what they leave over; without gradients.
struct ResidualCodes {
  at::Tensor codes;                   ///< [n, levels] int64
  at::Tensor residuals;               ///< [levels + 1, n, dim]: what each level was given, and the last rest
  at::Tensor quantized;               ///< [n, dim], the sum of the codes
  std::vector<at::Tensor> distances;  ///< where asked for: a level each, [n, codes]
};

struct Quantized {
  at::Tensor z_hat;  ///< [n, dim], the sum of the codes; its gradient goes to z as it is
  at::Tensor loss;   ///< scalar: codebook loss + commitment * commitment loss
  ResidualCodes detail;
};

/// Residual quantisation (Lee et al. 2022; Rajput et al. 2023, TIGER, section 3.1): level l takes the code
/// nearest to what the levels before have left.
///
/// The loss is the mean over levels, rows and dimensions of (q_l - sg r_l)^2 + commitment * (sg q_l - r_l)^2.
/// With the gradient of the code, commitment of level 2 and later is a constant to the encoder, d z_hat / d z
/// is the identity, and only the first term moves codes. With that of the papers, later commitment terms pull
/// on z and on the codes of the levels before.
class ResidualQuantizer {
 public:
  /// Declares NAME.codebooks [levels, codes, dim] in the store, which must not be allocated yet and must
  /// outlive this.
  ResidualQuantizer(ParameterStore& store, const std::string& name, const ResidualQuantizerOptions& options);

  /// Codes uniform in (-1 / codes, 1 / codes): what training starts from where no data initialise them.
  void initialise(std::uint64_t seed);
  /// Quantises z [n, dim]; gradients go to z and to `codebooks`, the leaf of parameter().
  [[nodiscard]] Quantized forward(const at::Tensor& codebooks, const at::Tensor& z,
                                  const QuantizeRequest& request = {}) const;
  /// The codes alone, without autograd, by the present codebooks.
  [[nodiscard]] ResidualCodes encode(const at::Tensor& z, const QuantizeRequest& request = {}) const;

  [[nodiscard]] std::size_t parameter() const { return parameter_; }  ///< place in the store
  [[nodiscard]] at::Tensor codebooks() const { return store_.value(parameter_); }
  [[nodiscard]] at::Tensor codebook(std::int64_t level) const { return codebooks().select(0, level); }
  [[nodiscard]] const ResidualQuantizerOptions& options() const { return options_; }

 private:
  [[nodiscard]] ResidualCodes assign(const at::Tensor& codebooks, const at::Tensor& z,
                                     const QuantizeRequest& request) const;
  [[nodiscard]] at::Tensor paper_loss(const at::Tensor& codebooks, const at::Tensor& z,
                                      const ResidualCodes& detail) const;

  ParameterStore& store_;
  ResidualQuantizerOptions options_;
  std::size_t parameter_;
};

/// How the codes of one level are used.
struct CodebookUse {
  std::int64_t used = 0;     ///< codes with at least one item
  std::int64_t codes = 0;    ///< all
  double entropy_bits = 0;   ///< of the codes' shares
  double perplexity = 0;     ///< 2^entropy: so many equally used codes would have this entropy
  std::int64_t largest = 0;  ///< items of the most used code
};

/// A level each, of codes [n, levels] int64 on any device.
[[nodiscard]] std::vector<CodebookUse> codebook_use(const at::Tensor& codes, std::int64_t codebook_size);

}  // namespace genrec
