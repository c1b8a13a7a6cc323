#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace genrec {

/// The temporary file `PATH.partial`, which becomes PATH when all of it is written: PATH is always either the
/// old file or the whole new one. The first failure is kept in error(), and what is written after it goes
/// nowhere, so that a library above it (HDF5) can be closed in peace.
class PartialFile {
 public:
  /// Opens, locks and empties the file; a leftover of a killed process is used again. Throws
  /// InputOutputError.
  explicit PartialFile(const std::filesystem::path& final_path);
  /// Removes the file unless it was published.
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  [[nodiscard]] const std::filesystem::path& name() const { return name_; }
  /// errno of the first failure, 0 when there was none.
  [[nodiscard]] int error() const { return error_; }
  /// From here on nothing is written any more.
  void abandon();
  /// Throws InputOutputError when there was a failure.
  void check() const;
  /// Syncs, closes and renames to the final path. Throws InputOutputError.
  void publish();

  void write(std::uint64_t offset, const void* data, std::size_t size);
  void read(std::uint64_t offset, void* data, std::size_t size);
  void truncate(std::uint64_t size);
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  bool open_locked();
  void close();

  std::filesystem::path path_, name_;
  int descriptor_ = -1;
  int error_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace genrec
