#include "comm/launch_check.h"

#include <cstdlib>

#include "base/error.h"

namespace genrec {
namespace {

/// -1 when the variable is absent or no number.
int number(const Environment& environment, const char* name) {
  const char* text = environment(name);
  if (!text || *text == '\0') return -1;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  return *end == '\0' && value >= 0 && value < (1L << 30) ? static_cast<int>(value) : -1;
}

constexpr const char* kWayOut =
    ": the launcher does not fit this program's MPI library; start it with 'srun --mpi=pmix' or with the "
    "mpirun of "
    "that library";

[[noreturn]] void refuse(const std::string& variable, int announced, int mpi_size) {
  throw UsageError(variable + " says " + std::to_string(announced) + " ranks, but MPI found " +
                   std::to_string(mpi_size) + kWayOut);
}

}  // namespace

std::string check_launch(int mpi_size, const Environment& environment) {
  if (const int announced = number(environment, "OMPI_COMM_WORLD_SIZE"); announced > 0) {
    if (announced != mpi_size) refuse("OMPI_COMM_WORLD_SIZE", announced, mpi_size);
    return "";
  }
  if (mpi_size > 1) return "";
  for (const char* variable : {"SLURM_STEP_NUM_TASKS", "PMI_SIZE"}) {
    if (const int announced = number(environment, variable); announced > 1)
      refuse(variable, announced, mpi_size);
  }
  const int tasks = number(environment, "SLURM_NTASKS");
  if (tasks <= 1 || number(environment, "SLURM_STEP_NUM_TASKS") == 1) return "";
  return "one rank only, though this Slurm job has " + std::to_string(tasks) +
         " tasks: start the program with 'srun --mpi=pmix' or mpirun to use them";
}

bool is_srun_without_server(const Environment& environment) {
  if (!environment("SLURM_STEP_ID")) return false;
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
    if (environment(variable)) return false;
  }
  const int tasks = number(environment, "SLURM_STEP_NUM_TASKS");
  if (tasks <= 1) return true;
  throw UsageError("srun started " + std::to_string(tasks) + " tasks without a PMIx server" + kWayOut);
}

int launcher_rank(const Environment& environment) {
  // mpirun's ranks inherit SLURM_PROCID=0 from the batch shell, so it comes last.
  for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}) {
    if (const int rank = number(environment, variable); rank >= 0) return rank;
  }
  return 0;
}

int launcher_rank() {
  return launcher_rank([](const char* name) { return std::getenv(name); });
}

}  // namespace genrec
