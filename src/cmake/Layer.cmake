# genrec_share_torch_pch(PROGRAM): gives an executable that uses LibTorch the precompiled header of the layers. GCC
# takes one only with the flags that it was made with: of the -fPIE of executables and -fPIC the last one counts.
function(genrec_share_torch_pch program)
  target_compile_options(${program} PRIVATE -fPIC)
  target_precompile_headers(${program} REUSE_FROM genrec_torch_pch)
endfunction()

# genrec_layer(NAME [TORCH] SOURCES files... [LINKS targets...]): the static library of one folder of src/.
# TORCH: uses LibTorch, with ATen as a precompiled header.
function(genrec_layer name)
  cmake_parse_arguments(ARG "TORCH" "" "LINKS;SOURCES" ${ARGN})
  add_library(genrec_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(genrec_${name} PUBLIC genrec_flags ${ARG_LINKS})
  if(ARG_TORCH)
    target_link_libraries(genrec_${name} PUBLIC LibTorch::cpu OpenMP::OpenMP_CXX)
    if(TARGET genrec_torch_pch)
      target_precompile_headers(genrec_${name} REUSE_FROM genrec_torch_pch)
    endif()
  endif()
endfunction()
