#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "base/shards.h"
#include "nn/parameter_store.h"
#include "optim/adamw_kernel.h"

namespace genrec {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;  ///< decoupled; only on entries with `decays`
  /// The learning rate of a parameter is multiplied with its root mean square, at least 1e-3 (Adafactor,
  /// Shazeer & Stern 2018, section 8): T5's embeddings start 10 to 20 times larger than its matrices.
  bool scale_parameter = false;
};

/// AdamW (Loshchilov & Hutter 2019) over a ParameterStore's flat buffers in one pass, with PyTorch's
/// arithmetic. The moments are laid out as flat_values(). Gradients between the entries must be 0.
class AdamW {
 public:
  AdamW(ParameterStore& store, const AdamWOptions& options);
  /// One step with gradients scaled by `gradient_scale` (1 / tokens, times the clipping factor); the bf16
  /// copies of the parameters are renewed as well.
  void step(double learning_rate, double gradient_scale);

  [[nodiscard]] at::Tensor exp_avg() const { return exp_avg_; }        ///< first moment
  [[nodiscard]] at::Tensor exp_avg_sq() const { return exp_avg_sq_; }  ///< second moment
  [[nodiscard]] std::int64_t steps() const { return steps_; }          ///< done so far
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  ParameterStore& store_;
  AdamWOptions options_;
  at::Tensor exp_avg_, exp_avg_sq_;
  std::int64_t steps_ = 0;
  struct Stretch {
    Range range;
    bool decays;
  };
  [[nodiscard]] double parameter_scale(const Range& range) const;
  [[nodiscard]] at::Tensor parameter_scales() const;
  void composite_step(const AdamWStep& step, double decay_rate);

  std::vector<Stretch> stretches_;  ///< neighbouring entries with the same rule
  at::Tensor decays_;               ///< the same by element, 1 or 0; made where there are no kernels
  at::Tensor lengths_;              ///< elements from each stretch's begin to the next one's; likewise
};

/// Euclidean norm of all gradients, summed in float64 over blocks of fixed size.
[[nodiscard]] double gradient_norm(ParameterStore& store);

}  // namespace genrec
