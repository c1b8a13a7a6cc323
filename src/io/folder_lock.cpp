#include "io/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.h"

namespace genrec {

FolderLock::FolderLock(const std::filesystem::path& folder, int patience_s)
    : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) return;  // whoever writes there says why it cannot
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(patience_s);
  while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    if (std::chrono::steady_clock::now() >= until) {
      ::close(std::exchange(descriptor_, -1));
      throw UsageError("another program is at work in " + folder.string() +
                       ": wait for it, or give another --run.dir");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FolderLock::FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

}  // namespace genrec
