#include "io/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "io/failure.h"
#include "io/partial_file.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

/// A file descriptor that is closed in any case.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

std::string read_text_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      throw MissingInput("no such file: " + path.string() + "; correct the path or provide the file");
    }
    throw system_failure("read", path, errno);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw system_failure("read", path, errno);
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t filled = 0;
  for (;;) {
    if (filled == content.size()) content.resize(content.size() + 4096);  // also sees the end of pipes
    const ssize_t got = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw system_failure("read", path, errno);
    }
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  content.resize(filled);
  return content;
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  PartialFile file(path);
  file.write(0, content.data(), content.size());
  file.publish();
}

void replace_link(const fs::path& link, const std::string& target) {
  const std::string temporary = link.string() + ".partial";
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) throw system_failure("make the link", link, errno);
  if (::rename(temporary.c_str(), link.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    throw system_failure("make the link", link, error);
  }
  sync_path(folder_of(link));
}

void sync_path(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw system_failure("sync", path, errno);
  // Some file systems have no fsync for folders and say so; there is nothing more to do on these.
  if (::fsync(file.get()) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS) {
    throw system_failure("sync", path, errno);
  }
}

}  // namespace genrec
