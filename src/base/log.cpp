#include "base/log.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <mutex>
#include <string>

#include "base/error.h"
#include "base/progress.h"

namespace genrec {
namespace {

std::atomic<int> rank_of_log = 0;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::string line_of(google::LogSeverity severity, const std::tm& time, int rank, const char* text,
                    std::size_t length) {
  char head[64];
  std::strftime(head, sizeof(head), "%Y-%m-%d %H:%M:%S ", &time);
  std::string line = head;
  line += google::GetLogSeverityName(severity)[0];
  line += " [" + std::to_string(rank) + "] ";
  line.append(text, length);
  line += '\n';
  return line;
}

}  // namespace

class Logging::Sink : public google::LogSink {
 public:
  explicit Sink(int rank) : rank_(rank) {}

  void open(const std::filesystem::path& file) {
    const std::lock_guard lock(mutex_);
    file_.reset(std::fopen(file.c_str(), "a"));
    if (!file_) {
      throw InputOutputError("log file " + file.string() + " cannot be written: " + std::strerror(errno) +
                             "; choose another --run.dir");
    }
  }

  void send(google::LogSeverity severity, const char*, const char*, int, const google::LogMessageTime& time,
            const char* text, std::size_t length) override {
    write(severity, line_of(severity, time.tm(), rank_, text, length));
  }

 private:
  void write(google::LogSeverity severity, const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (severity >= (rank_ == 0 ? google::GLOG_INFO : google::GLOG_ERROR)) {
      if (bar_on_screen.exchange(false)) std::fputs("\r\x1b[K", stderr);
      std::fwrite(line.data(), 1, line.size(), stderr);
    }
    if (!file_) return;
    std::fwrite(line.data(), 1, line.size(), file_.get());
    // A killed rank must not lose its last words, and messages are rare: flush each.
    if (std::fflush(file_.get()) == 0 || failed_) return;
    failed_ = true;
    std::fprintf(stderr, "rank %d: the log file cannot be written: %s\n", rank_, std::strerror(errno));
  }

  int rank_;
  std::mutex mutex_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  bool failed_ = false;
};

Logging::Logging(int rank) : sink_(std::make_unique<Sink>(rank)) {
  rank_of_log = rank;
  // glog's own files and its copy to stderr stay off: the sink writes both in our format.
  for (int severity = google::GLOG_INFO; severity < google::NUM_SEVERITIES; ++severity) {
    google::SetLogDestination(severity, "");
  }
  FLAGS_logtostderr = false;
  FLAGS_stderrthreshold = google::NUM_SEVERITIES;
  google::InitGoogleLogging("genrec_dist");
  google::AddLogSink(sink_.get());
}

Logging::~Logging() {
  google::RemoveLogSink(sink_.get());
  google::ShutdownGoogleLogging();
  rank_of_log = 0;
}

void Logging::open_file(const std::filesystem::path& directory) {
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) {
    throw InputOutputError("log folder " + directory.string() + " cannot be made: " + failure.message() +
                           "; choose another --run.dir");
  }
  char name[32];
  std::snprintf(name, sizeof(name), "rank-%04d.log", log_rank());
  sink_->open(directory / name);
}

int log_rank() {
  return rank_of_log;
}

}  // namespace genrec
