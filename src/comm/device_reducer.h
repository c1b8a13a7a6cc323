#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "comm/communicator.h"

namespace genrec {

/// Sums float32 buffers in device memory over all ranks. A sum is ordered after the work already queued on
/// the compute stream, runs beside later work, and finish() orders the compute stream after it.
class DeviceReducer {
 public:
  virtual ~DeviceReducer() = default;
  virtual void start_sum(float* device_data, std::size_t count, void* compute_stream) = 0;
  virtual void finish(void* compute_stream) = 0;
};

/// NCCL, bootstrapped over `world`, on a device that no other rank uses: else NCCL may hang (gpu_address()
/// tells). Throws UsageError when the program was built without NCCL.
std::unique_ptr<DeviceReducer> make_nccl_reducer(Communicator& world, int device);
/// "2.28.9", or "" in a build without CUDA and NCCL.
std::string nccl_version();
/// The GPU's place in its node: ranks with equal ones share a GPU. "" in a build without CUDA.
std::string gpu_address(int device);
/// 10 * major + minor; 0 in a build without CUDA.
int compute_capability(int device);

}  // namespace genrec
