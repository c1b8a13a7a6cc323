#pragma once
#include <string>
#include <utility>
#include <vector>

namespace genrec {

/// The commit the program was built from, "-dirty" behind it when files had changed.
[[nodiscard]] std::string git_revision();
/// Name and version of LibTorch, MPI, NCCL, CUDA, HDF5, in the order to print.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> component_versions();
/// What `genrec_dist version` prints.
[[nodiscard]] std::string version_text();

}  // namespace genrec
