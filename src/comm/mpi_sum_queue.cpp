#include "comm/mpi_sum_queue.h"

#include <algorithm>

#include "comm/mpi_communicator.h"

namespace genrec {
namespace {

constexpr std::size_t kRunning = 2;

}  // namespace

MpiSumQueue::MpiSumQueue(MPI_Comm parent, std::size_t chunk) : chunk_(chunk) {
  check_mpi(MPI_Comm_dup(parent, &comm_), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
}

MpiSumQueue::~MpiSumQueue() {
  MPI_Comm_free(&comm_);
}

std::int64_t MpiSumQueue::add(std::span<float> data) {
  for (std::size_t begin = 0; begin < data.size(); begin += chunk_) {
    waiting_.push_back(data.subspan(begin, std::min(chunk_, data.size() - begin)));
    ++added_;
  }
  start_next();
  return added_;
}

void MpiSumQueue::start_next() {
  while (running_.size() < kRunning && !waiting_.empty()) {
    const std::span<float> part = waiting_.front();
    waiting_.pop_front();
    MPI_Request& request = running_.emplace_back(MPI_REQUEST_NULL);
    check_mpi(MPI_Iallreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), MPI_FLOAT, MPI_SUM,
                             comm_, &request),
              "MPI_Iallreduce");
  }
}

bool MpiSumQueue::advance(std::int64_t ticket) {
  while (!running_.empty()) {
    int done = 0;
    check_mpi(MPI_Test(&running_.front(), &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (!done) break;
    running_.pop_front();
    ++done_;
    start_next();
  }
  return done_ >= ticket;
}

void MpiSumQueue::wait(std::int64_t ticket) {
  while (done_ < ticket) {
    check_mpi(MPI_Wait(&running_.front(), MPI_STATUS_IGNORE), "MPI_Wait");
    running_.pop_front();
    ++done_;
    start_next();
  }
}

}  // namespace genrec
