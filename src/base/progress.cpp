#include "base/progress.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <iostream>
#include <sstream>

#include "base/error.h"

namespace genrec {
namespace {

constexpr double kLineInterval = 30.0;
constexpr double kBarInterval = 0.2;
constexpr int kBarWidth = 24;
constexpr const char* kWipe = "\r\x1b[K";

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string rate_text(double rate) {
  char text[32];
  std::snprintf(text, sizeof(text), rate < 10 ? "%.2f" : rate < 100 ? "%.1f" : "%.0f", rate);
  return text;
}

}  // namespace

ProgressMode progress_mode(const std::string& word) {
  if (word == "auto") return ProgressMode::kAuto;
  if (word == "bar") return ProgressMode::kBar;
  if (word == "line") return ProgressMode::kLine;
  if (word == "none") return ProgressMode::kNone;
  throw UsageError("progress '" + word + "': expected auto, bar, line or none");
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::llround(std::max(seconds, 0.0)));
  char text[48];
  if (whole < 60) {
    std::snprintf(text, sizeof(text), "%lld s", whole);
  } else if (whole < 3600) {
    std::snprintf(text, sizeof(text), "%lld:%02lld min", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld h", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return text;
}

Progress::Progress(ProgressMode mode, int rank)
    : Progress(mode, rank, std::cerr, ::isatty(STDERR_FILENO) == 1, kLineInterval, steady_seconds) {}

Progress::Progress(ProgressMode mode, int rank, std::ostream& out, bool is_terminal, double interval_s,
                   Clock clock)
    : mode_(mode), out_(out), interval_s_(interval_s), clock_(std::move(clock)) {
  if (mode_ == ProgressMode::kAuto) mode_ = is_terminal ? ProgressMode::kBar : ProgressMode::kLine;
  if (rank != 0) mode_ = ProgressMode::kNone;
}

Progress::~Progress() {
  clear_bar();
}

void Progress::start(const std::string& stage, std::int64_t total, const std::string& unit,
                     std::int64_t already_done) {
  if (active_) finish();
  stage_ = stage;
  unit_ = unit;
  extra_.clear();
  total_ = total;
  first_ = done_ = already_done;
  started_ = drawn_ = clock_();
  active_ = true;
  if (mode_ == ProgressMode::kBar) draw(started_);
}

void Progress::update(std::int64_t done, const std::string& extra) {
  if (!active_ || mode_ == ProgressMode::kNone) return;
  done_ = done;
  if (!extra.empty()) extra_ = extra;
  const double now = clock_();
  if (now - drawn_ < (mode_ == ProgressMode::kBar ? kBarInterval : interval_s_)) return;
  draw(now);
}

void Progress::finish() {
  if (!active_) return;
  active_ = false;
  if (mode_ == ProgressMode::kNone) return;
  clear_bar();
  const std::int64_t done = done_ - first_;
  if (done == 0 && first_ > 0) return;  // nothing was left, or done
  const double seconds = clock_() - started_;
  out_ << stage_ << ": " << done << ' ' << unit_ << " in " << duration_text(seconds);
  if (seconds > 0) out_ << ", " << rate_text(static_cast<double>(done) / seconds) << ' ' << unit_ << "/s";
  if (first_ > 0) out_ << ", " << done_ << " in all";
  if (!extra_.empty()) out_ << ", " << extra_;
  out_ << std::endl;
}

void Progress::draw(double now) {
  drawn_ = now;
  std::ostringstream line;
  line << stage_ << ": ";
  const double seconds = now - started_;
  const double rate = seconds > 0 ? static_cast<double>(done_ - first_) / seconds : 0.0;
  if (total_ > 0) {
    const double part = std::min(static_cast<double>(done_) / static_cast<double>(total_), 1.0);
    if (mode_ == ProgressMode::kBar) {
      const auto full = static_cast<std::size_t>(part * kBarWidth);
      line << '[' << std::string(full, '#') << std::string(kBarWidth - full, '.') << "] ";
    }
    line << done_ << '/' << total_ << ' ' << unit_ << " (" << static_cast<int>(part * 100) << " %)";
  } else {
    line << done_ << ' ' << unit_;
  }
  if (rate > 0) line << ", " << rate_text(rate) << ' ' << unit_ << "/s";
  if (rate > 0 && total_ > done_)
    line << ", left " << duration_text(static_cast<double>(total_ - done_) / rate);
  if (!extra_.empty()) line << ", " << extra_;
  if (mode_ == ProgressMode::kBar) {
    out_ << kWipe << line.str() << std::flush;
    bar_on_screen = true;
  } else {
    out_ << line.str() << std::endl;
  }
}

void Progress::clear_bar() {
  if (mode_ == ProgressMode::kBar && bar_on_screen.exchange(false)) out_ << kWipe << std::flush;
}

}  // namespace genrec
