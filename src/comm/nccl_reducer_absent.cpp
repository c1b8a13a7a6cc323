#include "base/error.h"
#include "comm/device_reducer.h"

namespace genrec {

std::unique_ptr<DeviceReducer> make_nccl_reducer(Communicator&, int) {
  throw UsageError("run.comm = nccl: this program was built without CUDA and NCCL; use --run.comm mpi");
}

std::string nccl_version() {
  return "";
}

std::string gpu_address(int) {
  return "";
}

int compute_capability(int) {
  return 0;
}

}  // namespace genrec
