#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/host_array.h"

namespace genrec {

class Hdf5Input;

/// Writes an HDF5 file under a temporary name beside `path`; commit() sets the root attribute `complete` = 1,
/// flushes, syncs and renames, so that `path` is always either the old file or the whole new one. Without
/// commit() the temporary file is removed. Every dataset gets an attribute `sha256` of its bytes, and the
/// root an attribute `writer`, by which readers expect these. Object paths are absolute
/// ("/model/shared.weight"); missing groups are made. Errors (disk full) throw InputOutputError.
class Hdf5Writer {
 public:
  explicit Hdf5Writer(std::filesystem::path path);
  ~Hdf5Writer();
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  void write(const std::string& object, const HostArray& array);
  template <typename T>
  void write(const std::string& object, std::span<const T> values, std::vector<std::int64_t> shape);
  template <typename T>
  void write(const std::string& object, const std::vector<T>& values) {
    write<T>(object, std::span<const T>(values), {static_cast<std::int64_t>(values.size())});
  }
  /// UTF-8 strings, one dimension; padded to the longest one, of variable length where that wastes much.
  void write_strings(const std::string& object, const std::vector<std::string>& values);
  void write_text(const std::string& object, std::string_view text);
  /// Attributes of a group or dataset ("/" is the root).
  void attribute(const std::string& object, const std::string& name, const std::string& value);
  void attribute(const std::string& object, const std::string& name, std::int64_t value);
  void attribute(const std::string& object, const std::string& name, double value);
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What the checksums of a file's datasets say.
struct Hdf5Checksums {
  std::int64_t checked = 0;         ///< datasets with a checksum
  std::int64_t unchecked = 0;       ///< datasets without one
  std::vector<std::string> faults;  ///< one line each; in our own files, a missing checksum is one
};

/// Reads an HDF5 file. Throws MissingInput when it does not exist, InputOutputError when it cannot be read or
/// a checksum differs (naming file, dataset and remedy), DataError when a dataset is absent or of another
/// type than asked for.
class Hdf5Reader {
 public:
  explicit Hdf5Reader(const std::filesystem::path& path);
  ~Hdf5Reader();
  Hdf5Reader(const Hdf5Reader&) = delete;
  Hdf5Reader& operator=(const Hdf5Reader&) = delete;

  [[nodiscard]] bool has(const std::string& object) const;
  /// Names in a group, sorted; empty when the group is absent.
  [[nodiscard]] std::vector<std::string> list(const std::string& group) const;
  [[nodiscard]] std::vector<std::int64_t> shape(const std::string& object) const;
  /// Reads and checks the checksum (where the file has one).
  [[nodiscard]] HostArray read(const std::string& object) const;
  template <typename T>
  [[nodiscard]] std::vector<T> read(const std::string& object) const;
  /// The elements of an integer dataset of any width.
  [[nodiscard]] std::vector<std::int64_t> read_integers(const std::string& object) const;
  /// All rows in order, `rows` at a time: `sink(first row, values)`. Checks the checksum at the end (where
  /// the file has one): when it throws, what the sink was given is worth nothing.
  template <typename T>
  void read_blocks(const std::string& object, std::int64_t rows,
                   const std::function<void(std::int64_t begin, std::span<const T> block)>& sink) const;
  /// The same for a dataset of floating-point numbers of any width, given as float32 (float16 and bfloat16
  /// exactly, float64 rounded). Returns the sha256 of the dataset's own bytes.
  std::string read_float_blocks(
      const std::string& object, std::int64_t rows,
      const std::function<void(std::int64_t begin, std::span<const float> block)>& sink) const;
  [[nodiscard]] std::vector<std::string> read_strings(const std::string& object) const;
  [[nodiscard]] std::string read_text(const std::string& object) const;
  [[nodiscard]] bool has_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] std::string text_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] std::int64_t integer_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] double real_attribute(const std::string& object, const std::string& name) const;
  /// Reads every dataset and compares it with its checksum.
  [[nodiscard]] Hdf5Checksums check_checksums() const;
  /// The faults alone; empty also for a file without any checksum.
  [[nodiscard]] std::vector<std::string> verify() const { return check_checksums().faults; }
  /// Absolute paths of all datasets, sorted.
  [[nodiscard]] std::vector<std::string> datasets() const;
  [[nodiscard]] const std::filesystem::path& path() const;

 private:
  std::unique_ptr<Hdf5Input> input_;
};

/// Whether a file begins like HDF5; false also when it cannot be read.
[[nodiscard]] bool has_hdf5_signature(const std::filesystem::path& path);

[[nodiscard]] std::string hdf5_version();

}  // namespace genrec
