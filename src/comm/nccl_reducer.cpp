#include <cuda_runtime_api.h>
#include <nccl.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "comm/device_reducer.h"

namespace genrec {
namespace {

void check(cudaError_t code, const char* call) {
  if (code != cudaSuccess)
    throw std::runtime_error(std::string(call) + " failed: " + cudaGetErrorString(code));
}

void check(ncclResult_t code, const char* call, ncclComm_t comm = nullptr) {
  if (code == ncclSuccess) return;
  const char* detail = ncclGetLastError(comm);
  throw std::runtime_error(std::string(call) + " failed: " + ncclGetErrorString(code) +
                           (detail && *detail ? std::string("; ") + detail : ""));
}

class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  [[nodiscard]] cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  Event() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  /// `later` goes on only after what `earlier` holds now.
  void order(cudaStream_t earlier, cudaStream_t later) {
    check(cudaEventRecord(event_, earlier), "cudaEventRecord");
    check(cudaStreamWaitEvent(later, event_, 0), "cudaStreamWaitEvent");
  }

 private:
  cudaEvent_t event_ = nullptr;
};

std::string pci_address(int device) {
  char text[32] = "";
  check(cudaDeviceGetPCIBusId(text, sizeof(text), device), "cudaDeviceGetPCIBusId");
  return text;
}

/// NCCL would hang or fail with few words when two ranks hold one device.
void require_own_device(Communicator& world, int device) {
  char host[256] = "";
  ::gethostname(host, sizeof(host) - 1);
  const std::string mine = std::string(host) + " GPU " + pci_address(device);
  std::map<std::string, std::size_t> owner;
  const auto all = world.all_gather(std::as_bytes(std::span(mine)));
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    std::string text(all[rank].size(), '\0');
    std::memcpy(text.data(), all[rank].data(), text.size());
    const auto [first, is_new] = owner.emplace(text, rank);
    if (is_new) continue;
    throw UsageError("run.comm = nccl: ranks " + std::to_string(first->second) + " and " +
                     std::to_string(rank) + " share " + text +
                     "; start at most one rank per GPU or use --run.comm mpi");
  }
}

class NcclReducer : public DeviceReducer {
 public:
  explicit NcclReducer(Communicator& world) {
    ncclUniqueId id = {};
    if (world.is_root()) check(ncclGetUniqueId(&id), "ncclGetUniqueId");
    world.broadcast(std::as_writable_bytes(std::span(&id, 1)), 0);
    check(ncclCommInitRank(&comm_, world.size(), id, world.rank()), "ncclCommInitRank");
  }
  NcclReducer(const NcclReducer&) = delete;
  NcclReducer& operator=(const NcclReducer&) = delete;
  ~NcclReducer() override {
    // After a failure elsewhere ncclCommDestroy would wait for ranks that never come.
    const ncclResult_t code = failed_ ? ncclCommAbort(comm_) : ncclCommDestroy(comm_);
    if (code != ncclSuccess) LOG(ERROR) << "NCCL does not shut down: " << ncclGetErrorString(code);
  }

  void start_sum(float* device_data, std::size_t count, void* compute_stream) override {
    ready_.order(static_cast<cudaStream_t>(compute_stream), stream_.get());
    require(ncclAllReduce(device_data, device_data, count, ncclFloat32, ncclSum, comm_, stream_.get()),
            "ncclAllReduce");
  }

  void finish(void* compute_stream) override {
    ncclResult_t state = ncclSuccess;
    require(ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError");
    require(state, "a sum over ranks");
    done_.order(stream_.get(), static_cast<cudaStream_t>(compute_stream));
  }

 private:
  void require(ncclResult_t code, const char* call) {
    failed_ = failed_ || code != ncclSuccess;
    check(code, call, comm_);
  }

  Stream stream_;
  Event ready_, done_;
  ncclComm_t comm_ = nullptr;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<DeviceReducer> make_nccl_reducer(Communicator& world, int device) {
  require_own_device(world, device);
  return std::make_unique<NcclReducer>(world);
}

std::string nccl_version() {
  int version = 0;  // major * 10000 + minor * 100 + patch
  check(ncclGetVersion(&version), "ncclGetVersion");
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace genrec
