# Flags of our own targets only; third-party headers come in as SYSTEM.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A precompiled header is cached only with these two allowances; paths relative to the source folder let one build
  # folder use what another one compiled. The headers of a file are known from the compiler's own list (Ninja asks for
  # it), so nothing is preprocessed twice, and each header is hashed once a build.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1 CCACHE_INODECACHE=1 ${CCACHE_PROGRAM})
endif()

add_library(genrec_flags INTERFACE)
# -Wno-restrict: GCC 12 warns of std::string's own concatenation (GCC bug 105651).
target_compile_options(genrec_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Werror -Wno-error=deprecated-declarations -Wno-restrict)
target_include_directories(genrec_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(CMAKE_UNITY_BUILD)  # the presets': eight files of a folder are one to the compiler, in two thirds of the time
  target_compile_options(genrec_flags INTERFACE -Wno-subobject-linkage)  # takes a .cpp file for a header
endif()

set(GENREC_SANITIZE OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Asan")
  set(GENREC_SANITIZE ON)
  # -Og compiles in two thirds of -O1's time; what it cannot see to be set, the optimised build warns of if it is so.
  set(CMAKE_CXX_FLAGS_ASAN "-Og -g1 -fno-omit-frame-pointer" CACHE STRING "" FORCE)
  target_compile_options(genrec_flags INTERFACE -Wno-maybe-uninitialized)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()
