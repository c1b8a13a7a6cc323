#include "app/runtime.h"

#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "io/json_file.h"
#include "nn/memory.h"
#include "nn/precision.h"

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

/// The GPU that this rank would take; the CPU where it sees none or must not.
at::Device own_device(const RunOptions& options, const MpiRuntime& mpi) {
  if (options.device == "cpu" || !at::globalContext().hasCUDA()) return at::kCPU;
  const int gpus = c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount();
  if (gpus == 0) return at::kCPU;
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(mpi.local_rank() % gpus));
}

RankDevice rank_device(at::Device device, const std::string& host) {
  const int capability = device.is_cuda() ? compute_capability(device.index()) : 0;
  return {.host = host,
          .built_with_cuda = !nccl_version().empty(),
          .gpu = device.is_cuda() ? gpu_address(device.index()) : "",
          .bf16_warning = precision_warning(Precision::kBFloat16, device, capability)};
}

std::vector<RankDevice> tell_all(const RankDevice& own, Communicator& world) {
  const Json line = {{"host", own.host},
                     {"built_with_cuda", own.built_with_cuda},
                     {"gpu", own.gpu},
                     {"bf16_warning", own.bf16_warning}};
  const std::string text = line.dump();
  std::vector<RankDevice> ranks;
  for (const auto& bytes : world.all_gather(std::as_bytes(std::span(text)))) {
    const Json told = Json::parse(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    ranks.push_back({.host = told.at("host").get<std::string>(),
                     .built_with_cuda = told.at("built_with_cuda").get<bool>(),
                     .gpu = told.at("gpu").get<std::string>(),
                     .bf16_warning = told.at("bf16_warning").get<std::string>()});
  }
  return ranks;
}

/// Whether all ranks compute on GPUs.
bool agreed_on_gpus(const RunOptions& options, std::span<const RankDevice> ranks) {
  if (options.device == "cpu") return false;
  const auto blind = [](const RankDevice& rank) { return rank.gpu.empty(); };
  const auto without = std::ranges::find_if(ranks, blind);
  if (without == ranks.end()) return true;
  if (options.device == "cuda") {
    if (!without->built_with_cuda) {
      throw UsageError(
          "--run.device cuda: this program was built without CUDA; build it with "
          "-DGENREC_CUDA=ON, or use --run.device cpu");
    }
    throw UsageError("--run.device cuda: no GPU is visible on " + without->host +
                     "; ask the scheduler for GPUs (--gpus-per-node), or use --run.device cpu");
  }
  const auto number = std::ranges::count_if(ranks, blind);
  if (number == std::ssize(ranks)) return false;
  throw UsageError("no GPU is visible to " + std::to_string(number) + " of " + std::to_string(ranks.size()) +
                   " ranks, like rank " + std::to_string(without - ranks.begin()) + " on " + without->host +
                   "; ask the scheduler for GPUs on every node (--gpus-per-node), or use --run.device cpu");
}

/// "ranks 0 and 1 share a GPU on HOST", or "".
std::string shared_gpu(std::span<const RankDevice> ranks) {
  std::map<std::pair<std::string, std::string>, std::size_t> owner;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const auto [first, is_new] = owner.emplace(std::pair(ranks[rank].host, ranks[rank].gpu), rank);
    if (is_new) continue;
    return "ranks " + std::to_string(first->second) + " and " + std::to_string(rank) + " share a GPU on " +
           ranks[rank].host;
  }
  return "";
}

}  // namespace

std::optional<std::chrono::duration<double>> time_limit(const RunOptions& options) {
  if (options.max_minutes <= 0) return std::nullopt;
  return std::chrono::duration<double>(60 * options.max_minutes);
}

DevicePlan plan_devices(const RunOptions& options, std::span<const RankDevice> ranks) {
  DevicePlan plan;
  plan.cuda = agreed_on_gpus(options, ranks);
  if (!plan.cuda && options.comm == "nccl") {
    throw UsageError("--run.comm nccl needs GPUs; use --run.comm auto or mpi on CPUs");
  }
  // NCCL on one rank sums nothing: only who asks for it gets it.
  if (plan.cuda && (options.comm == "nccl" || (options.comm == "auto" && ranks.size() > 1))) {
    const std::string shared = shared_gpu(ranks);
    plan.nccl = shared.empty();
    if (!plan.nccl && options.comm == "nccl") {
      throw UsageError("--run.comm nccl: " + shared +
                       "; start at most one rank per GPU, or use --run.comm mpi");
    }
    if (!plan.nccl) plan.warnings.push_back(shared + ": gradients travel over MPI");
  }
  if (options.precision == "bf16") {
    const auto lacking =
        std::ranges::find_if(ranks, [](const RankDevice& rank) { return !rank.bf16_warning.empty(); });
    if (lacking == ranks.end()) {
      plan.precision = Precision::kBFloat16;
    } else {
      plan.warnings.push_back(lacking->host + ": " + lacking->bf16_warning);
    }
  }
  return plan;
}

Runtime choose_runtime(const RunOptions& options, MpiRuntime& mpi) {
  Runtime runtime;
  runtime.threads = choose_threads(options.threads, mpi);
  at::set_num_threads(runtime.threads);
  keep_freed_memory();

  const at::Device own = own_device(options, mpi);
  const DevicePlan plan = plan_devices(options, tell_all(rank_device(own, mpi.host()), mpi.world()));
  for (const std::string& warning : plan.warnings) LOG_ROOT(WARNING) << warning;
  runtime.precision = plan.precision;
  if (plan.cuda) {
    runtime.device = own;
    c10::impl::VirtualGuardImpl(at::kCUDA).setDevice(own);
    sum_products_in_float32();
  }
  if (plan.nccl) runtime.reducer = make_nccl_reducer(mpi.world(), own.index());
  return runtime;
}

}  // namespace genrec
