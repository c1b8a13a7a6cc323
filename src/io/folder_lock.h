#pragma once
#include <filesystem>

namespace genrec {

/// Keeps a second program out of a folder for as long as it lives; a program that is killed gives it up.
/// Where the file system has no locks it does nothing.
class FolderLock {
 public:
  FolderLock() = default;
  /// Waits up to `patience_s` seconds for a program that is just leaving; then throws UsageError.
  explicit FolderLock(const std::filesystem::path& folder, int patience_s = 20);
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace genrec
