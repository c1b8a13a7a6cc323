#pragma once
#include <chrono>
#include <utility>

namespace genrec {

/// Wall-clock time since its construction or the last lap.
class Stopwatch {
 public:
  [[nodiscard]] double seconds() const { return between(start_, Clock::now()); }
  /// The same; the next lap begins.
  double lap() {
    const Clock::time_point now = Clock::now();
    return between(std::exchange(start_, now), now);
  }

 private:
  using Clock = std::chrono::steady_clock;

  static double between(Clock::time_point begin, Clock::time_point end) {
    return std::chrono::duration<double>(end - begin).count();
  }

  Clock::time_point start_ = Clock::now();
};

/// 0 where no time has passed.
[[nodiscard]] inline double per_second(double amount, double seconds) {
  return seconds > 0 ? amount / seconds : 0;
}

}  // namespace genrec
