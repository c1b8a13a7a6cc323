#include "app/runtime.h"

#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "app/version.h"
#include "base/error.h"
#include "base/log.h"
#include "nn/memory.h"
#include "nn/precision.h"

extern char** environ;

namespace genrec {
namespace {

/// Cores this process may use: a launcher may have bound it.
int allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

int choose_threads(int wanted, const MpiRuntime& mpi) {
  if (wanted > 0) return wanted;
  if (const char* given = std::getenv("OMP_NUM_THREADS")) return std::max(1, std::atoi(given));
  const int cores = allowed_cores();
  const int node = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return cores < node ? cores : std::max(1, node / mpi.local_size());
}

int visible_gpus() {
  if (!at::globalContext().hasCUDA()) return 0;
  return c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount();
}

}  // namespace

Runtime choose_runtime(const RunOptions& options, MpiRuntime& mpi) {
  Runtime runtime;
  runtime.threads = choose_threads(options.threads, mpi);
  at::set_num_threads(runtime.threads);
  keep_freed_memory();

  const int gpus = visible_gpus();
  if (options.device == "cuda" && gpus == 0) {
    throw UsageError("--run.device cuda: no GPU is visible on " + mpi.host() +
                     "; ask the scheduler for GPUs (--gpus-per-node), or use --run.device cpu");
  }
  if (options.device != "cpu" && gpus > 0) {
    if (mpi.local_size() > gpus && gpus > 1 && options.comm != "mpi") {
      throw UsageError(std::to_string(mpi.local_size()) + " ranks on " + mpi.host() + " with " +
                       std::to_string(gpus) +
                       " GPUs: start as many ranks as GPUs, or share GPUs with --run.comm mpi");
    }
    const auto index = static_cast<at::DeviceIndex>(mpi.local_rank() % gpus);
    runtime.device = at::Device(at::kCUDA, index);
    c10::impl::VirtualGuardImpl(at::kCUDA).setDevice(runtime.device);
  }
  if (options.comm == "nccl" && runtime.device.is_cpu()) {
    throw UsageError("--run.comm nccl needs GPUs; use --run.comm auto or mpi on CPUs");
  }
  if (runtime.device.is_cuda() && options.comm != "mpi" && mpi.size() > 1) {
    runtime.reducer = make_nccl_reducer(mpi.world(), runtime.device.index());
  }
  if (options.precision == "bf16") {
    runtime.precision = effective_precision(Precision::kBFloat16, runtime.device);
    const std::string warning = precision_warning(Precision::kBFloat16, runtime.device);
    if (!warning.empty()) LOG_ROOT(WARNING) << warning;
  }
  return runtime;
}

Json describe_environment(const Runtime& runtime, MpiRuntime& mpi, const Dataset& dataset) {
  const std::string line = mpi.host() + " local rank " + std::to_string(mpi.local_rank()) + " " +
                           runtime.device.str() + " " + std::to_string(runtime.threads) + " threads";
  Json ranks = Json::array();
  for (const auto& bytes : mpi.world().all_gather(std::as_bytes(std::span(line)))) {
    ranks.push_back(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  Json variables = Json::object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    for (const char* prefix :
         {"NCCL_", "OMP_", "SLURM_JOB_ID", "SLURM_ARRAY", "SLURM_NTASKS", "CUDA_VISIBLE_DEVICES"}) {
      if (text.starts_with(prefix))
        variables[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
    }
  }
  Json environment = Json::object();
  for (const auto& [name, version] : component_versions()) environment["versions"][name] = version;
  environment["git"] = git_revision();
  environment["inputs"] = {{"dataset", dataset.name}, {"sha256", dataset.fingerprint}};
  environment["ranks"] = ranks;
  environment["environment"] = variables;
  return environment;
}

}  // namespace genrec
