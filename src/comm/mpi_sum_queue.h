#pragma once
#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

namespace genrec {

/// Non-blocking sums over ranks, cut into chunks that run first in, first out, two at a time. Chunks are
/// several times as fast as whole gradients (MPI's temporary buffers stay in the cache), and the order makes
/// all ranks call MPI alike whenever each looks after its sums. Calls of several threads must not overlap.
class MpiSumQueue {
 public:
  /// Works on a duplicate of `parent`, so that other collectives may come in between.
  MpiSumQueue(MPI_Comm parent, std::size_t chunk);
  ~MpiSumQueue();
  MpiSumQueue(const MpiSumQueue&) = delete;
  MpiSumQueue& operator=(const MpiSumQueue&) = delete;

  /// Queues a sum in place and returns its ticket.
  std::int64_t add(std::span<float> data);
  /// Starts and ends what it can without waiting; true when the sum of this ticket is done.
  bool advance(std::int64_t ticket);
  void wait(std::int64_t ticket);

 private:
  void start_next();

  MPI_Comm comm_ = MPI_COMM_NULL;
  std::size_t chunk_;
  std::deque<std::span<float>> waiting_;
  std::deque<MPI_Request> running_;
  // Tickets count chunks.
  std::int64_t added_ = 0, done_ = 0;
};

}  // namespace genrec
