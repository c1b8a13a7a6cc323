#pragma once
#include <chrono>

namespace genrec {

/// Says when run.checkpoint-minutes have passed since it last said so.
class CheckpointClock {
 public:
  /// 0: never.
  explicit CheckpointClock(double minutes) : interval_(60 * minutes) {}
  [[nodiscard]] bool due() {
    if (interval_.count() <= 0 || Clock::now() - said_ < interval_) return false;
    said_ = Clock::now();
    return true;
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::chrono::duration<double> interval_;
  Clock::time_point said_ = Clock::now();
};

}  // namespace genrec
