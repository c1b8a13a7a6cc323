#pragma once
#include <functional>
#include <string>

namespace genrec {

/// Looks up an environment variable; null when it is not set.
using Environment = std::function<const char*(const char*)>;

/// Compares MPI's number of ranks with the launcher's: OMPI_COMM_WORLD_SIZE (mpirun), else PMI_SIZE and
/// SLURM_STEP_NUM_TASKS (srun). SLURM_NTASKS belongs to the allocation and may differ under mpirun; it only
/// gives the warning that is returned (empty: all is well). The environment must be that of before MPI_Init,
/// which sets some of these itself. Throws UsageError with a way out.
std::string check_launch(int mpi_size, const Environment& environment);

/// Before MPI_Init: true when srun started this one task without a PMI server ('srun --pty bash',
/// --mpi=none), so that MPI must be kept from asking for one. Throws UsageError when there are several tasks:
/// Open MPI 4 would end with a page of text, Open MPI 5 would make each task a world of one.
bool is_srun_without_server(const Environment& environment);

/// This process's rank as the launcher says it, before MPI is up; 0 without a launcher. Decides who prints an
/// error that comes before, or instead of, a world.
int launcher_rank(const Environment& environment);
int launcher_rank();

}  // namespace genrec
