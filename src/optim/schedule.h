#pragma once
#include <cstdint>
#include <string>

namespace genrec {

/// Learning rate of step `step` (0 is the first) of `steps`. `schedule`: constant, linear (to 0), cosine (to
/// 0) or inverse-sqrt. `warmup` below 1 is a fraction of the steps, else a number of steps; the rate grows
/// linearly from peak / warm-up steps to the peak, so no step has rate 0. Throws UsageError for another
/// schedule.
[[nodiscard]] double learning_rate(const std::string& schedule, double peak, double warmup, std::int64_t step,
                                   std::int64_t steps);

/// Whether the rate of an early step would be another one in a longer training.
[[nodiscard]] bool rate_depends_on_length(const std::string& schedule, double warmup);

}  // namespace genrec
