#include "nn/memory.h"

#include <malloc.h>
#include <sys/resource.h>

extern "C" void MallocExtension_ReleaseFreeMemory() __attribute__((weak));  // defined by tcmalloc alone

namespace genrec {

void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_MAX, 0);                // large blocks come from the heap as well
  mallopt(M_TRIM_THRESHOLD, -1);         // and the heap never shrinks
  mallopt(M_TOP_PAD, 64 * 1024 * 1024);  // it grows in large steps
  mallopt(M_ARENA_MAX, 1);               // heaps of further arenas hold at most 64 MiB
#endif
}

const char* allocator_name() {
  return MallocExtension_ReleaseFreeMemory != nullptr ? "tcmalloc" : "glibc";
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace genrec
