#pragma once
#include <chrono>
#include <optional>

namespace genrec {

/// Remembers that SIGUSR1 or SIGTERM came, or that the wall-clock limit has passed. Handlers only set a flag;
/// the ranks agree on it at a step boundary (Communicator::all_agree_any) and leave together.
class StopSignal {
 public:
  /// Installs the handlers; at most one object at a time. `limit`: wall-clock time from now, if any.
  explicit StopSignal(std::optional<std::chrono::duration<double>> limit = std::nullopt);
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// This rank's own view.
  [[nodiscard]] bool requested() const;
  /// "signal SIGUSR1" or "time limit"; empty when nothing was requested.
  [[nodiscard]] const char* reason() const;

 private:
  std::optional<std::chrono::steady_clock::time_point> deadline_;
};

}  // namespace genrec
