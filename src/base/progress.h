#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

namespace genrec {

enum class ProgressMode {
  kAuto,  ///< bar on a terminal, else lines
  kBar,   ///< one line, redrawn
  kLine,  ///< a new line each interval
  kNone,
};

/// "auto", "bar", "line" or "none"; throws UsageError.
ProgressMode progress_mode(const std::string& word);

/// How far a stage has come: name, done/total, rate, time left and a free text, on rank 0's stderr. One
/// object is made in app and handed down; other ranks' objects print nothing.
///
///     progress.start("warm-up", samples, "samples");
///     progress.update(done, "loss 3.21");
///     progress.finish();
class Progress {
 public:
  /// Seconds of a clock that never goes back; tests bring their own.
  using Clock = std::function<double()>;

  Progress(ProgressMode mode, int rank);
  Progress(ProgressMode mode, int rank, std::ostream& out, bool is_terminal, double interval_s, Clock clock);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `total` 0: unknown. `already_done` units were done before this run and do not count for the rate.
  void start(const std::string& stage, std::int64_t total, const std::string& unit,
             std::int64_t already_done = 0);
  void update(std::int64_t done, const std::string& extra = "");
  /// Ends the stage with one last line (time taken and mean rate).
  void finish();

 private:
  void draw(double now);
  void clear_bar();

  ProgressMode mode_;
  std::ostream& out_;
  double interval_s_;
  Clock clock_;
  std::string stage_, unit_, extra_;
  std::int64_t total_ = 0, first_ = 0, done_ = 0;
  double started_ = 0, drawn_ = 0;
  bool active_ = false;
};

/// "38 s", "4:05 min" or "2:03:09 h".
std::string duration_text(double seconds);

/// True while a bar stands on the terminal; the log wipes it before it writes.
inline std::atomic<bool> bar_on_screen = false;

}  // namespace genrec
