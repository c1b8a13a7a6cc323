#pragma once
#include <memory>
#include <string>

#include "comm/communicator.h"

namespace genrec {

/// MPI's lifetime: initialises on construction, finalises on destruction. Lives in main.
class MpiRuntime {
 public:
  /// Throws UsageError when the launcher announced another number of ranks than MPI found (see
  /// launch_check.h): then every process would be its own world of one.
  MpiRuntime(int& argc, char**& argv);
  ~MpiRuntime();
  MpiRuntime(const MpiRuntime&) = delete;
  MpiRuntime& operator=(const MpiRuntime&) = delete;

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  /// Rank among, and number of, the ranks of this node (MPI_Comm_split_type).
  [[nodiscard]] int local_rank() const { return local_rank_; }
  [[nodiscard]] int local_size() const { return local_size_; }
  [[nodiscard]] const std::string& host() const { return host_; }
  /// Something odd about the launch that is no error, for the log; empty as a rule.
  [[nodiscard]] const std::string& launch_warning() const { return launch_warning_; }
  /// "Open MPI v4.1.4, ..." as MPI_Get_library_version says.
  [[nodiscard]] static std::string library_version();

  /// Collectives on host memory over MPI; valid while this object lives.
  [[nodiscard]] Communicator& world() { return *world_; }
  /// Waits until every rank has called this, `seconds` at most; true when all have. For ranks that failed:
  /// when all did, they leave as after a success, without abort()'s noise.
  [[nodiscard]] bool all_arrive(double seconds);
  /// Ends every rank of the job with this exit code, after flushing stdio. One rank may call it alone.
  [[noreturn]] void abort(int code);

 private:
  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1;
  std::string host_, launch_warning_;
  std::unique_ptr<Communicator> world_;
  struct Farewell;
  std::unique_ptr<Farewell> farewell_;
};

}  // namespace genrec
