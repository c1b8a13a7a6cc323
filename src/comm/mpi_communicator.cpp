#include "comm/mpi_communicator.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "base/log.h"
#include "comm/mpi_sum_queue.h"

namespace genrec {
namespace {

constexpr int kChunkTag = 1;
/// Elements of one reduction call per rank. Open MPI sums larger buffers piece by piece through temporary
/// memory; with pieces of this size that memory stays in the cache.
constexpr std::size_t kReduceCount = std::size_t{1} << 17;

template <typename T>
MPI_Datatype mpi_type() {
  if constexpr (std::is_same_v<T, float>) return MPI_FLOAT;
  if constexpr (std::is_same_v<T, double>) return MPI_DOUBLE;
  if constexpr (std::is_same_v<T, std::int64_t>) return MPI_INT64_T;
  if constexpr (std::is_same_v<std::remove_const_t<T>, std::byte>) return MPI_BYTE;
}

/// Calls f with consecutive parts of `data` of at most `max_count` elements.
template <typename T, typename F>
void for_each_part(std::span<T> data, std::size_t max_count, F&& f) {
  for (std::size_t begin = 0; begin < data.size(); begin += max_count) {
    f(data.subspan(begin, std::min(max_count, data.size() - begin)));
  }
}

template <typename T>
int count_of(std::span<T> part) {
  return static_cast<int>(part.size());
}

class PendingSum : public PendingOperation {
 public:
  PendingSum(MpiSumQueue& queue, std::int64_t ticket) : queue_(queue), ticket_(ticket) {}
  PendingSum(const PendingSum&) = delete;
  PendingSum& operator=(const PendingSum&) = delete;
  ~PendingSum() override {
    // Waiting here could hang a rank that is on its way out with an error.
    if (!done_) LOG(ERROR) << "a non-blocking sum over ranks was dropped before it ended";
  }
  void wait() override {
    queue_.wait(ticket_);
    done_ = true;
  }
  bool test() override { return done_ = queue_.advance(ticket_); }

 private:
  MpiSumQueue& queue_;
  std::int64_t ticket_;
  bool done_ = false;
};

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(MPI_Comm parent, std::size_t max_count) : max_count_(max_count) {
    if (max_count == 0 || max_count > kMaxMpiCount) throw std::invalid_argument("MpiCommunicator: max_count");
    check_mpi(MPI_Comm_dup(parent, &comm_), "MPI_Comm_dup");
    check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
    reduce_count_ = std::min(max_count_, kReduceCount * static_cast<std::size_t>(size_));
    sums_ = std::make_unique<MpiSumQueue>(comm_, reduce_count_);
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;
  ~MpiCommunicator() override {
    sums_.reset();
    MPI_Comm_free(&comm_);
  }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  void barrier() override { check_mpi(MPI_Barrier(comm_), "MPI_Barrier"); }

  using Communicator::broadcast;
  void broadcast(std::span<std::byte> data, int root) override {
    for_each_part(data, max_count_, [&](std::span<std::byte> part) {
      check_mpi(MPI_Bcast(part.data(), count_of(part), MPI_BYTE, root, comm_), "MPI_Bcast");
    });
  }

  void all_reduce_sum(std::span<float> data) override { all_reduce(data, MPI_SUM); }
  void all_reduce_sum(std::span<double> data) override { all_reduce(data, MPI_SUM); }
  void all_reduce_sum(std::span<std::int64_t> data) override { all_reduce(data, MPI_SUM); }
  void all_reduce_max(std::span<std::int64_t> data) override { all_reduce(data, MPI_MAX); }
  void all_reduce_max(std::span<double> data) override { all_reduce(data, MPI_MAX); }

  std::unique_ptr<PendingOperation> start_all_reduce_sum(std::span<float> data) override {
    return std::make_unique<PendingSum>(*sums_, sums_->add(data));
  }

  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine) override {
    const auto my_size = static_cast<std::int64_t>(mine.size());
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(size_));
    check_mpi(MPI_Allgather(&my_size, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, comm_), "MPI_Allgather");
    std::vector<std::vector<std::byte>> all;
    const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
    if (static_cast<std::size_t>(total) <= max_count_) {
      all = all_gather_at_once(mine, sizes, static_cast<std::size_t>(total));
    } else {
      // Displacements are ints too: too large for one call, so rank by rank.
      for (int root = 0; root < size_; ++root) {
        auto& bytes = all.emplace_back(static_cast<std::size_t>(sizes[static_cast<std::size_t>(root)]));
        if (root == rank_) std::ranges::copy(mine, bytes.begin());
        broadcast(std::span<std::byte>(bytes), root);
      }
    }
    return all;
  }

  void gather_chunks(std::span<const std::byte> mine, int root, std::size_t chunk_bytes,
                     const std::function<void(int, std::span<const std::byte>)>& sink) override {
    if (chunk_bytes == 0) throw std::invalid_argument("gather_chunks: chunks of 0 bytes");
    const std::size_t chunk = std::min(chunk_bytes, max_count_);
    const auto my_size = static_cast<std::int64_t>(mine.size());
    std::vector<std::int64_t> sizes(rank_ == root ? static_cast<std::size_t>(size_) : 0);
    check_mpi(MPI_Gather(&my_size, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, root, comm_), "MPI_Gather");
    if (rank_ != root) {
      for_each_part(mine, chunk, [&](std::span<const std::byte> part) {
        // A synchronous send ends only when the root has asked for this chunk: none piles up there.
        check_mpi(MPI_Ssend(part.data(), count_of(part), MPI_BYTE, root, kChunkTag, comm_), "MPI_Ssend");
      });
      return;
    }
    std::vector<std::byte> buffer;
    for (int source = 0; source < size_; ++source) {
      if (source == root) {
        for_each_part(mine, chunk, [&](std::span<const std::byte> part) { sink(root, part); });
        continue;
      }
      const auto size = static_cast<std::size_t>(sizes[static_cast<std::size_t>(source)]);
      buffer.resize(std::max(buffer.size(), std::min(chunk, size)));
      for (std::size_t begin = 0; begin < size; begin += chunk) {
        const auto part = std::span(buffer).first(std::min(chunk, size - begin));
        check_mpi(
            MPI_Recv(part.data(), count_of(part), MPI_BYTE, source, kChunkTag, comm_, MPI_STATUS_IGNORE),
            "MPI_Recv");
        sink(source, part);
      }
    }
  }

 private:
  template <typename T>
  void all_reduce(std::span<T> data, MPI_Op operation) {
    for_each_part(data, reduce_count_, [&](std::span<T> part) {
      check_mpi(MPI_Allreduce(MPI_IN_PLACE, part.data(), count_of(part), mpi_type<T>(), operation, comm_),
                "MPI_Allreduce");
    });
  }

  std::vector<std::vector<std::byte>> all_gather_at_once(std::span<const std::byte> mine,
                                                         const std::vector<std::int64_t>& sizes,
                                                         std::size_t total) {
    std::vector<int> counts(sizes.size()), offsets(sizes.size());
    std::ranges::transform(sizes, counts.begin(), [](std::int64_t size) { return static_cast<int>(size); });
    std::exclusive_scan(counts.begin(), counts.end(), offsets.begin(), 0);
    std::vector<std::byte> flat(total);
    check_mpi(MPI_Allgatherv(mine.data(), count_of(mine), MPI_BYTE, flat.data(), counts.data(),
                             offsets.data(), MPI_BYTE, comm_),
              "MPI_Allgatherv");
    std::vector<std::vector<std::byte>> all;
    for (std::size_t r = 0; r < sizes.size(); ++r) {
      const auto begin = flat.begin() + offsets[r];
      all.emplace_back(begin, begin + counts[r]);
    }
    return all;
  }

  MPI_Comm comm_ = MPI_COMM_NULL;
  std::size_t max_count_, reduce_count_ = 1;
  std::unique_ptr<MpiSumQueue> sums_;
  int rank_ = 0, size_ = 1;
};

}  // namespace

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw std::runtime_error(std::string(call) + " failed: " + text);
}

std::unique_ptr<Communicator> make_mpi_communicator(MPI_Comm parent, std::size_t max_count) {
  return std::make_unique<MpiCommunicator>(parent, max_count);
}

}  // namespace genrec
