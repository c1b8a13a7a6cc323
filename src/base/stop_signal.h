#pragma once
#include <chrono>
#include <optional>

namespace genrec {

/// From now on SIGUSR1 and SIGTERM only set a flag, so that one that comes before the run is set up is not
/// lost.
void listen_for_stop_signals();
/// Signals act as before; one that came in between acts now.
void stop_listening();

/// Tells whether SIGUSR1 or SIGTERM came, or the wall-clock limit has passed; the ranks agree on it at a step
/// boundary and leave together.
class StopSignal {
 public:
  /// Listens, unless somebody does already. `limit`: wall-clock time from now, if any.
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
  bool listens_;
};

}  // namespace genrec
