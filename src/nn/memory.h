#pragma once
#include <cstdint>

namespace genrec {

/// Tells glibc's allocator to keep freed memory instead of giving it back to the system: otherwise every
/// large tensor is mapped and page-faulted anew, up to half the time of a training step. Call once, first in
/// main.
void keep_freed_memory();

/// Largest resident set of this process so far, in bytes.
[[nodiscard]] std::int64_t peak_memory_bytes();

}  // namespace genrec
