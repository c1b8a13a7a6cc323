# LibTorch from -DLIBTORCH_ROOT, -DCMAKE_PREFIX_PATH, LIBTORCH_ROOT of the environment or the project's .venv, as the
# targets LibTorch::cpu and LibTorch::cuda. TorchConfig.cmake is not used: it refuses a LibTorch built with CUDA on
# machines without CUDA.
if(NOT "$ENV{LIBTORCH_ROOT}" STREQUAL "")  # kept, because ninja may configure again in another shell
  set(LIBTORCH_ENVIRONMENT "$ENV{LIBTORCH_ROOT}" CACHE INTERNAL "LIBTORCH_ROOT of the environment")
endif()
file(GLOB _libtorch_venv "${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch")
set(_libtorch_prefixes ${LIBTORCH_ROOT} ${CMAKE_PREFIX_PATH} ${LIBTORCH_ENVIRONMENT} ${_libtorch_venv})

# What was found is cached: forgotten when it has gone, or when the places to look in have changed.
if(DEFINED LIBTORCH_SEARCHED AND
   NOT (EXISTS "${LIBTORCH_CPU_LIBRARY}" AND LIBTORCH_SEARCHED STREQUAL "${_libtorch_prefixes}"))
  foreach(_variable INCLUDE_DIR CPU_LIBRARY C10_LIBRARY CUDA_LIBRARY C10_CUDA_LIBRARY)
    unset(LIBTORCH_${_variable} CACHE)
  endforeach()
endif()
set(LIBTORCH_SEARCHED "${_libtorch_prefixes}" CACHE INTERNAL "where LibTorch was looked for")

find_library(LIBTORCH_CPU_LIBRARY torch_cpu PATHS ${_libtorch_prefixes} PATH_SUFFIXES lib NO_DEFAULT_PATH)
# Everything else only beside it: parts of two LibTorchs must not mix.
if(LIBTORCH_CPU_LIBRARY)
  get_filename_component(LIBTORCH_LIBRARY_DIR "${LIBTORCH_CPU_LIBRARY}" DIRECTORY)
  find_path(LIBTORCH_INCLUDE_DIR ATen/ATen.h PATHS "${LIBTORCH_LIBRARY_DIR}/../include" NO_DEFAULT_PATH)
  find_library(LIBTORCH_C10_LIBRARY c10 PATHS "${LIBTORCH_LIBRARY_DIR}" NO_DEFAULT_PATH)
  find_library(LIBTORCH_CUDA_LIBRARY torch_cuda PATHS "${LIBTORCH_LIBRARY_DIR}" NO_DEFAULT_PATH)
  find_library(LIBTORCH_C10_CUDA_LIBRARY c10_cuda PATHS "${LIBTORCH_LIBRARY_DIR}" NO_DEFAULT_PATH)
endif()

set(_version_header ${LIBTORCH_INCLUDE_DIR}/torch/headeronly/version.h)
if(NOT EXISTS ${_version_header})
  set(_version_header ${LIBTORCH_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h)
endif()
if(EXISTS ${_version_header})
  file(STRINGS ${_version_header} _version REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
  string(REGEX REPLACE "[^0-9;]+" "" _version "${_version}")
  string(REPLACE ";" "." LibTorch_VERSION "${_version}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LIBTORCH_CPU_LIBRARY LIBTORCH_C10_LIBRARY LIBTORCH_INCLUDE_DIR VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "Run launch/quickstart.sh once, or give -DCMAKE_PREFIX_PATH=<unpacked LibTorch>.")

add_library(LibTorch::cpu INTERFACE IMPORTED)
target_include_directories(LibTorch::cpu SYSTEM INTERFACE
  ${LIBTORCH_INCLUDE_DIR} ${LIBTORCH_INCLUDE_DIR}/torch/csrc/api/include)
# libtorch_cpu of a CUDA build names cudart and cupti: found beside it, or in the wheels next door.
target_link_libraries(LibTorch::cpu INTERFACE ${LIBTORCH_CPU_LIBRARY} ${LIBTORCH_C10_LIBRARY})
file(GLOB LIBTORCH_WHEEL_DIRS ${LIBTORCH_LIBRARY_DIR}/../../nvidia/*/lib)
set(LIBTORCH_RPATH ${LIBTORCH_LIBRARY_DIR} ${LIBTORCH_WHEEL_DIRS})
target_link_options(LibTorch::cpu INTERFACE -Wl,--allow-shlib-undefined)

set(LIBTORCH_HAS_CUDA OFF)
if(LIBTORCH_CUDA_LIBRARY AND LIBTORCH_C10_CUDA_LIBRARY)
  set(LIBTORCH_HAS_CUDA ON)
  add_library(LibTorch::cuda INTERFACE IMPORTED)
  # Registers itself by static constructors: the linker must not drop it.
  target_link_libraries(LibTorch::cuda INTERFACE LibTorch::cpu
    "-Wl,--no-as-needed" "${LIBTORCH_CUDA_LIBRARY}" "${LIBTORCH_C10_CUDA_LIBRARY}" "-Wl,--as-needed")
endif()

# libtorch_cuda loads only where cuBLAS, cuDNN and the rest are (the full wheel set, or a system CUDA).
set(LIBTORCH_CUDA_USABLE OFF)
set(LIBTORCH_CUDA_MISSING "libtorch_cuda not found")
if(LIBTORCH_HAS_CUDA)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${LIBTORCH_LIBRARY_DIR}:$ENV{LD_LIBRARY_PATH}
            ldd ${LIBTORCH_CUDA_LIBRARY}
    OUTPUT_VARIABLE _ldd ERROR_QUIET)
  string(REGEX MATCHALL "[^\n\t ]+ => not found" LIBTORCH_CUDA_MISSING "${_ldd}")
  if(NOT LIBTORCH_CUDA_MISSING)
    set(LIBTORCH_CUDA_USABLE ON)
  endif()
  file(GLOB LIBTORCH_NCCL_HINT ${LIBTORCH_LIBRARY_DIR}/../../nvidia/nccl/lib)
endif()
