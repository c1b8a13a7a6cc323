#pragma once
#include <cstdint>

namespace genrec {

/// Tells glibc's allocator to keep freed memory instead of giving it back to the system: otherwise every
/// large tensor is mapped and page-faulted anew, up to half the time of a training step. Call once, first in
/// main. tcmalloc, which takes its place in programs that link it, does so by itself.
void keep_freed_memory();

/// "tcmalloc" or "glibc": what serves malloc in this process.
[[nodiscard]] const char* allocator_name();

/// Largest resident set of this process so far, in bytes.
[[nodiscard]] std::int64_t peak_memory_bytes();

}  // namespace genrec
