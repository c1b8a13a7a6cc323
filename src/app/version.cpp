#include "app/version.h"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/headeronly/version.h>

#include "comm/device_reducer.h"
#include "comm/mpi_runtime.h"
#include "generated/git_revision.h"
#include "io/hdf5.h"

namespace genrec {

std::string git_revision() {
  return GENREC_GIT_REVISION;
}

std::vector<std::pair<std::string, std::string>> component_versions() {
  std::string cuda = "not built in";
  if (at::globalContext().hasCUDA()) cuda = std::to_string(at::detail::getCUDAHooks().versionCUDART());
  const std::string nccl = nccl_version();
  return {{"genrec_dist", GENREC_VERSION},
          {"LibTorch", TORCH_VERSION},
          {"MPI", MpiRuntime::library_version()},
          {"NCCL", nccl.empty() ? "not built in" : nccl},
          {"CUDA", cuda},
          {"HDF5", hdf5_version()}};
}

std::string version_text() {
  std::string text;
  for (const auto& [name, version] : component_versions()) text += name + " " + version + "\n";
  return text + "git " + git_revision() + "\n";
}

}  // namespace genrec
