#pragma once
#include <filesystem>
#include <string>

#include "base/error.h"

namespace genrec {

/// The one-line error for a failed system call: "cannot WHAT PATH: reason; remedy". `code`: its errno.
[[nodiscard]] InputOutputError system_failure(const std::string& what, const std::filesystem::path& path,
                                              int code);

/// What to do about an errno value: "free space on its disk, ...".
[[nodiscard]] std::string remedy_of(int code);

}  // namespace genrec
