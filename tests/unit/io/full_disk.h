#pragma once
#include <sys/resource.h>

#include <csignal>
#include <stdexcept>

namespace genrec::test {

/// While it lives, no file can grow beyond `bytes`: writes fail as on a full disk, without root and without a
/// file system of its own.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : old_action_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit small{bytes, old_.rlim_max};
    if (setrlimit(RLIMIT_FSIZE, &small) != 0) throw std::runtime_error("cannot limit the file size");
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_action_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit old_{};
  void (*old_action_)(int);
};

}  // namespace genrec::test
