#include "io/partial_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/failure.h"
#include "io/files.h"

namespace genrec {

PartialFile::PartialFile(const std::filesystem::path& final_path)
    : path_(final_path), name_(final_path.string() + ".partial") {
  while (!open_locked()) close();
}

PartialFile::~PartialFile() {
  if (descriptor_ >= 0) {
    ::unlink(name_.c_str());
    close();
  }
}

/// False when the name meanwhile belongs to another file (another process renamed the one we opened).
bool PartialFile::open_locked() {
  descriptor_ = ::open(name_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw system_failure("write", path_, errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close();
    throw InputOutputError("cannot write " + path_.string() + ": another process is writing it now (" +
                           name_.string() + " is locked); wait for that process or use another folder");
  }
  struct stat opened {};
  struct stat named {};
  if (::fstat(descriptor_, &opened) != 0 || ::stat(name_.c_str(), &named) != 0 ||
      opened.st_ino != named.st_ino || opened.st_dev != named.st_dev) {
    return false;
  }
  if (::ftruncate(descriptor_, 0) != 0) throw system_failure("write", path_, errno);
  return true;
}

void PartialFile::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void PartialFile::abandon() {
  if (error_ == 0) error_ = ECANCELED;
}

void PartialFile::check() const {
  if (error_ != 0) throw system_failure("write", path_, error_);
}

void PartialFile::publish() {
  if (error_ == 0 && ::fsync(descriptor_) != 0) error_ = errno;
  if (error_ == 0 && ::rename(name_.c_str(), path_.c_str()) != 0) error_ = errno;
  check();
  close();
  sync_path(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

void PartialFile::write(std::uint64_t offset, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  while (size > 0 && error_ == 0) {
    const ssize_t written = ::pwrite(descriptor_, bytes, size, static_cast<off_t>(offset));
    if (written < 0) {
      if (errno != EINTR) error_ = errno;
      continue;
    }
    bytes += written;
    offset += static_cast<std::uint64_t>(written);
    size -= static_cast<std::size_t>(written);
    size_ = std::max(size_, offset);
  }
}

void PartialFile::read(std::uint64_t offset, void* data, std::size_t size) {
  auto* bytes = static_cast<std::byte*>(data);
  while (size > 0) {
    const ssize_t got = ::pread(descriptor_, bytes, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      if (got < 0 && error_ == 0) error_ = errno;
      std::memset(bytes, 0, size);  // bytes never written read as zeros
      return;
    }
    bytes += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
}

void PartialFile::truncate(std::uint64_t size) {
  if (error_ != 0) return;
  if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
    error_ = errno;
  } else {
    size_ = size;
  }
}

}  // namespace genrec
