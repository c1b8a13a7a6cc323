#pragma once
#include <ATen/ATen.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/device_reducer.h"
#include "comm/mpi_runtime.h"
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
  double checkpoint_minutes = 5;
  int keep = 3;                   ///< checkpoints kept beside last, prev and best
  std::string progress = "auto";  ///< auto|bar|line|none
  bool dry_run = false;
};

/// run.max-minutes as StopSignal takes it.
[[nodiscard]] std::optional<std::chrono::duration<double>> time_limit(const RunOptions& options);

/// The device, threads and transport of a rank, chosen once at start.
struct Runtime {
  at::Device device = at::kCPU;
  Precision precision = Precision::kFloat32;
  int threads = 1;
  std::unique_ptr<DeviceReducer> reducer;  ///< NCCL, or none: sums go over MPI on host memory
};

/// What a rank has, before anything is chosen.
struct RankDevice {
  std::string host;
  bool built_with_cuda = false;
  std::string gpu;           ///< address of the GPU that it would take; "": it sees none
  std::string bf16_warning;  ///< why its device computes no bf16; "": it does
};

/// What all ranks do.
struct DevicePlan {
  bool cuda = false;
  bool nccl = false;
  Precision precision = Precision::kFloat32;
  std::vector<std::string> warnings;
};
/// Throws UsageError when a device or transport is asked for that some rank lacks, and when only some ranks
/// have a GPU.
[[nodiscard]] DevicePlan plan_devices(const RunOptions& options, std::span<const RankDevice> ranks);

/// The same devices, precision and transport on all ranks: what plan_devices makes of all they have, or its
/// error on every rank. Collective.
Runtime choose_runtime(const RunOptions& options, MpiRuntime& mpi);

}  // namespace genrec
