#pragma once
#include <ATen/ATen.h>

#include <memory>
#include <string>

#include "comm/device_reducer.h"
#include "comm/mpi_runtime.h"
#include "data/dataset.h"
#include "io/json_file.h"
#include "nn/parameter_store.h"

namespace genrec {

struct RunOptions {
  std::string dir;  ///< run folder; "": runs/COMMAND-NAME
  std::uint64_t seed = 42;
  std::string device = "auto";    ///< auto|cpu|cuda
  std::string precision = "f32";  ///< f32|bf16
  std::string comm = "auto";      ///< auto|mpi|nccl
  int threads = 0;                ///< of a rank; 0: the node's cores over its ranks
  std::string resume = "auto";    ///< auto|never|must
  double max_minutes = 0;         ///< stop with a checkpoint after this time; 0: no limit
  double checkpoint_minutes = 15;
  int keep = 3;                   ///< checkpoints kept beside last, prev and best
  std::string progress = "auto";  ///< auto|bar|line|none
  bool dry_run = false;
};

/// The device, threads and transport of a rank, chosen once at start.
struct Runtime {
  at::Device device = at::kCPU;
  Precision precision = Precision::kFloat32;
  int threads = 1;
  std::unique_ptr<DeviceReducer> reducer;  ///< NCCL, or none: sums go over MPI on host memory
};

/// Throws UsageError when the device is not there, or when more ranks than GPUs share a node without
/// --run.comm mpi.
Runtime choose_runtime(const RunOptions& options, MpiRuntime& mpi);

/// What environment.json says: versions, hosts, rank → device table, the dataset and its checksum, NCCL_*
/// variables. Collective.
Json describe_environment(const Runtime& runtime, MpiRuntime& mpi, const Dataset& dataset);

}  // namespace genrec
