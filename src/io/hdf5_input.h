#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/hdf5_handle.h"

namespace genrec {

/// The remedy in errors about a file whose content cannot be trusted.
inline constexpr char kDamageRemedy[] = "the file is damaged: take an older one, or make or copy it again";

/// An HDF5 file that is open for reading: its objects, their types, texts and attributes, and errors that say
/// where they are.
class Hdf5Input {
 public:
  explicit Hdf5Input(std::filesystem::path path);
  ~Hdf5Input();
  Hdf5Input(const Hdf5Input&) = delete;
  Hdf5Input& operator=(const Hdf5Input&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] hid_t id() const { return file_; }
  [[nodiscard]] std::string where(const std::string& object) const;
  /// For a failure that the library has on its error stack.
  [[nodiscard]] InputOutputError unreadable(const std::string& object) const;

  [[nodiscard]] bool has(const std::string& object) const;
  [[nodiscard]] Hdf5Handle open(const std::string& object) const;
  [[nodiscard]] Hdf5Handle open_dataset(const std::string& object) const;

  // Of an open dataset; `object` is its name for messages.
  [[nodiscard]] std::vector<std::int64_t> shape(const Hdf5Handle& dataset, const std::string& object) const;
  [[nodiscard]] ElementType element_type(const Hdf5Handle& dataset, const std::string& object) const;
  void require_type(const Hdf5Handle& dataset, const std::string& object, ElementType wanted) const;
  [[nodiscard]] std::vector<std::string> strings(const Hdf5Handle& dataset, const std::string& object) const;

  [[nodiscard]] std::string text_attribute(const Hdf5Handle& owner, const std::string& object,
                                           const std::string& name) const;
  /// A single number (T: std::int64_t, double); whole numbers where T is a whole number.
  template <typename T>
  [[nodiscard]] T number_attribute(const std::string& object, const std::string& name) const;

 private:
  using ReadTexts = std::function<herr_t(hid_t memory_type, void* target)>;
  [[nodiscard]] std::vector<std::string> texts(const Hdf5Handle& type, const Hdf5Handle& space,
                                               const std::string& object, const ReadTexts& read) const;
  [[nodiscard]] Hdf5Handle open_attribute(const Hdf5Handle& owner, const std::string& object,
                                          const std::string& name) const;

  std::filesystem::path path_;
  hid_t file_ = H5I_INVALID_HID;
};

[[nodiscard]] inline bool has_attribute(const Hdf5Handle& owner, const std::string& name) {
  return H5Aexists(owner.get(), name.c_str()) > 0;
}

}  // namespace genrec
