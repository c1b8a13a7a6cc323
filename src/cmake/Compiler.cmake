# Flags of our own targets only; third-party headers come in as SYSTEM.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A precompiled header is cached only with these two allowances; paths relative to the source folder let one build
  # folder use what another one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      ${CCACHE_PROGRAM})
endif()

add_library(genrec_flags INTERFACE)
# -Wno-restrict: GCC 12 warns of std::string's own concatenation (GCC bug 105651).
target_compile_options(genrec_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Werror -Wno-error=deprecated-declarations -Wno-restrict)
target_include_directories(genrec_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)

set(GENREC_SANITIZE OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Asan")
  set(GENREC_SANITIZE ON)
  set(CMAKE_CXX_FLAGS_ASAN "-O1 -g1 -fno-omit-frame-pointer" CACHE STRING "" FORCE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()
