#include "io/failure.h"

#include <cerrno>
#include <system_error>

namespace genrec {

std::string remedy_of(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "free space on its disk (or raise the quota or file size limit), or write to another folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "give yourself permission there, or use another folder";
    case ENOENT:
    case ENOTDIR:
      return "create the folder first, or correct the path";
    case EISDIR:
      return "a folder is there: name a file";
    case EAGAIN:
    case EDEADLK:
    case ENOLCK:
      return "another process holds its lock, or its file system has none: wait for that process, or set "
             "HDF5_USE_FILE_LOCKING=FALSE";
    case ENAMETOOLONG:
      return "use a shorter name";
    default:
      return "check the disk and the file system, then run again";
  }
}

InputOutputError system_failure(const std::string& what, const std::filesystem::path& path, int code) {
  return InputOutputError("cannot " + what + " " + path.string() + ": " +
                          std::generic_category().message(code) + "; " + remedy_of(code));
}

}  // namespace genrec
