#pragma once
#include <glog/logging.h>

#include <filesystem>
#include <memory>

namespace genrec {

/// Starts glog: rank 0 writes INFO and above to stderr, other ranks ERROR and above; with a folder, every
/// rank also writes everything to DIR/rank-NNNN.log (appended, each message flushed). A line is
/// "YYYY-MM-DD HH:MM:SS I [rank] text". Call once, after the rank is known.
class Logging {
 public:
  explicit Logging(int rank);
  ~Logging();
  Logging(const Logging&) = delete;
  Logging& operator=(const Logging&) = delete;
  /// Adds the per-rank file; `directory` is created. Throws InputOutputError.
  void open_file(const std::filesystem::path& directory);

 private:
  class Sink;
  std::unique_ptr<Sink> sink_;
};

/// The rank that Logging was told, 0 before.
int log_rank();

}  // namespace genrec

/// For what all ranks would say alike: rank 0 says it.
#define LOG_ROOT(severity) LOG_IF(severity, ::genrec::log_rank() == 0)
