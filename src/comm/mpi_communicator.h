#pragma once
#include <mpi.h>

#include <cstddef>
#include <memory>
#include <string>

#include "comm/communicator.h"

namespace genrec {

/// MPI counts are ints: nothing larger goes into one call.
inline constexpr std::size_t kMaxMpiCount = std::size_t{1} << 30;

/// Throws std::runtime_error with MPI's own words unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

/// Collectives over a duplicate of `parent`; must be destroyed before MPI_Finalize. No call carries more than
/// `max_count` elements (tests make it small). Calls of several threads must not overlap.
std::unique_ptr<Communicator> make_mpi_communicator(MPI_Comm parent, std::size_t max_count = kMaxMpiCount);

}  // namespace genrec
