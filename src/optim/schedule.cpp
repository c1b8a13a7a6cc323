#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace genrec {

double learning_rate(const std::string& schedule, double peak, double warmup, std::int64_t step,
                     std::int64_t steps) {
  const auto all = static_cast<double>(std::max<std::int64_t>(steps, 1));
  const double rising = warmup < 1 ? std::ceil(warmup * all) : std::floor(warmup);
  const auto at = static_cast<double>(step);
  if (at < rising) return peak * (at + 1) / rising;
  // 0 at the end of the warm-up, 1 after the last step.
  const double progress = std::clamp((at - rising) / std::max(1.0, all - rising), 0.0, 1.0);
  if (schedule == "constant") return peak;
  if (schedule == "linear") return peak * (1 - progress);
  if (schedule == "cosine") return peak * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  if (schedule == "inverse-sqrt") return peak * std::sqrt(std::max(1.0, rising) / std::max(1.0, at + 1));
  throw UsageError("train.schedule: \"" + schedule +
                   "\" is unknown; choose constant, linear, cosine or inverse-sqrt");
}

bool rate_depends_on_length(const std::string& schedule, double warmup) {
  const bool fixed = schedule == "constant" || schedule == "inverse-sqrt";
  return !fixed || (warmup > 0 && warmup < 1);
}

}  // namespace genrec
