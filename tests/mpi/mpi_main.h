#pragma once
#include "comm/mpi_runtime.h"

namespace genrec::test {

/// The one MPI runtime of this test program; every test runs on all ranks.
MpiRuntime& runtime();

}  // namespace genrec::test
