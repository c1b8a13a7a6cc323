#include <cuda_runtime_api.h>
#include <nccl.h>

#include <exception>
#include <stdexcept>

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
    // After a failure here or elsewhere ncclCommDestroy would wait for ranks that never come.
    const bool unwinding = std::uncaught_exceptions() > exceptions_;
    const ncclResult_t code = failed_ || unwinding ? ncclCommAbort(comm_) : ncclCommDestroy(comm_);
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
  const int exceptions_ = std::uncaught_exceptions();  ///< under way at construction
};

}  // namespace

std::unique_ptr<DeviceReducer> make_nccl_reducer(Communicator& world, int device) {
  check(cudaSetDevice(device), "cudaSetDevice");
  return std::make_unique<NcclReducer>(world);
}

std::string gpu_address(int device) {
  char text[32] = "";
  check(cudaDeviceGetPCIBusId(text, sizeof(text), device), "cudaDeviceGetPCIBusId");
  return text;
}

int compute_capability(int device) {
  int major = 0, minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "cudaDeviceGetAttribute");
  return 10 * major + minor;
}

std::string nccl_version() {
  int version = 0;  // major * 10000 + minor * 100 + patch
  check(ncclGetVersion(&version), "ncclGetVersion");
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace genrec
