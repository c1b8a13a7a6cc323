# Every third-party library of the program, as imported targets.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(MPI REQUIRED COMPONENTS CXX)
find_package(Boost REQUIRED COMPONENTS program_options)
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(PkgConfig REQUIRED)
pkg_check_modules(GLOG REQUIRED IMPORTED_TARGET libglog)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
find_path(SPECTRA_INCLUDE_DIR Spectra/SymEigsSolver.h REQUIRED)
find_library(TCMALLOC_LIBRARY NAMES tcmalloc_minimal libtcmalloc_minimal.so.4)  # not needed, but faster than glibc's malloc

find_package(LibTorch REQUIRED)

# The CUDA code needs the toolkit's headers, NCCL and a LibTorch that was built with CUDA; to compile and link it
# (GENREC_CUDA=COMPILE) the libraries that LibTorch loads in turn need not be there.
set(GENREC_WITH_CUDA OFF)
if(NOT GENREC_CUDA STREQUAL "OFF" AND LIBTORCH_HAS_CUDA)
  find_package(CUDAToolkit QUIET)
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2 HINTS ${CUDAToolkit_LIBRARY_DIR} ${CUDAToolkit_BIN_DIR}/../lib64
    ${LIBTORCH_NCCL_HINT})
  if(CUDAToolkit_FOUND AND NCCL_INCLUDE_DIR AND NCCL_LIBRARY AND (LIBTORCH_CUDA_USABLE OR GENREC_CUDA STREQUAL "COMPILE"))
    set(GENREC_WITH_CUDA ON)
  endif()
endif()
if(GENREC_CUDA MATCHES "^(ON|COMPILE)$" AND NOT GENREC_WITH_CUDA)
  message(FATAL_ERROR "GENREC_CUDA=${GENREC_CUDA} needs a LibTorch with CUDA and its libraries (${LIBTORCH_CUDA_MISSING}), "
    "the CUDA Toolkit and NCCL; without them use -DGENREC_CUDA=OFF")
endif()

if(GENREC_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark QUIET)
endif()
