# The commit that a binary was built from, renewed at every build without rebuilding more than one file.
set(GENREC_REVISION_HEADER ${CMAKE_BINARY_DIR}/generated/git_revision.h)
add_custom_target(git_revision
  BYPRODUCTS ${GENREC_REVISION_HEADER}
  COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DOUTPUT=${GENREC_REVISION_HEADER}
          -P ${CMAKE_SOURCE_DIR}/src/cmake/WriteGitRevision.cmake
  COMMENT "" VERBATIM)
