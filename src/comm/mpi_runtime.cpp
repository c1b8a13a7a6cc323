#include "comm/mpi_runtime.h"

#include <mpi.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <thread>

#include "comm/launch_check.h"
#include "comm/mpi_communicator.h"

namespace genrec {
namespace {

/// The launcher's variables as they are before MPI_Init adds its own.
std::map<std::string, std::string> launch_variables() {
  std::map<std::string, std::string> values;
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}) {
    if (const char* value = std::getenv(name)) values[name] = value;
  }
  return values;
}

}  // namespace

/// A communicator of its own for all_arrive(): the others may have a collective under way that never ends.
struct MpiRuntime::Farewell {
  MPI_Comm comm = MPI_COMM_NULL;
  Farewell() { check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &comm), "MPI_Comm_dup"); }
  ~Farewell() { MPI_Comm_free(&comm); }
  Farewell(const Farewell&) = delete;
  Farewell& operator=(const Farewell&) = delete;
};

MpiRuntime::MpiRuntime(int& argc, char**& argv) {
  const auto variables = launch_variables();
  if (is_srun_without_server([](const char* name) -> const char* { return std::getenv(name); })) {
    // Open MPI takes these for a promise of a server and gives up without one.
    ::unsetenv("SLURM_STEP_ID");
    ::unsetenv("SLURM_STEPID");
  }
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
  try {
    check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    if (provided < MPI_THREAD_SERIALIZED) {
      throw std::runtime_error("this MPI library lacks thread support (MPI_THREAD_SERIALIZED)");
    }
    world_ = make_mpi_communicator(MPI_COMM_WORLD);
    rank_ = world_->rank();
    size_ = world_->size();
    launch_warning_ = check_launch(size_, [&variables](const char* name) -> const char* {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    });

    farewell_ = std::make_unique<Farewell>();
    MPI_Comm node = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node),
              "MPI_Comm_split_type");
    check_mpi(MPI_Comm_rank(node, &local_rank_), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(node, &local_size_), "MPI_Comm_size");
    check_mpi(MPI_Comm_free(&node), "MPI_Comm_free");

    char name[MPI_MAX_PROCESSOR_NAME] = "";
    int length = 0;
    check_mpi(MPI_Get_processor_name(name, &length), "MPI_Get_processor_name");
    host_.assign(name, static_cast<std::size_t>(length));
  } catch (const std::exception&) {
    // With a refused launch every process is alone, so nobody is waited for here.
    farewell_.reset();
    world_.reset();
    if (size_ == 1) MPI_Finalize();
    throw;
  }
}

MpiRuntime::~MpiRuntime() {
  farewell_.reset();
  world_.reset();
  MPI_Finalize();
}

std::string MpiRuntime::library_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  return text;  // up to the NUL, which some libraries count in the length
}

bool MpiRuntime::all_arrive(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  MPI_Request request = MPI_REQUEST_NULL;
  if (MPI_Ibarrier(farewell_->comm, &request) != MPI_SUCCESS) return false;
  int arrived = 0;
  while (arrived == 0 && std::chrono::steady_clock::now() < end) {
    if (MPI_Test(&request, &arrived, MPI_STATUS_IGNORE) != MPI_SUCCESS) return false;
    if (arrived == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return arrived != 0;
}

void MpiRuntime::abort(int code) {
  std::fflush(nullptr);
  // Alone, there is nobody to take along, and MPI_Abort would add its own noise to the message.
  if (size_ > 1) MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

}  // namespace genrec
