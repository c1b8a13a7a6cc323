# genrec_layer(NAME [LINKS targets...] [TORCH]): the static library of one folder of src/; its sources are added
# by target_sources in the folder's CMakeLists.txt. TORCH: uses LibTorch, with ATen as a precompiled header.
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
