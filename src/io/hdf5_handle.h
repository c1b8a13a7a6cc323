#pragma once
#include <hdf5.h>

#include <string>
#include <utility>

#include "base/error.h"
#include "io/host_array.h"

namespace genrec {

/// Owns an HDF5 identifier of any kind but files: datasets, spaces, types, property lists ...
class Hdf5Handle {
 public:
  Hdf5Handle() = default;
  explicit Hdf5Handle(hid_t id) : id_(id) {}
  ~Hdf5Handle() {
    if (id_ >= 0) H5Idec_ref(id_);
  }
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  [[nodiscard]] hid_t get() const { return id_; }
  [[nodiscard]] explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

/// Starts the library and stops it from printing its error stack to stderr. Call before any other use.
void start_hdf5();

/// The deepest message of the library's error stack, in one line, with a remedy: "REASON; REMEDY". `usual`:
/// the remedy when the stack names no system error.
[[nodiscard]] std::string hdf5_reason(const std::string& usual);

/// A copy of the type in which our files hold the elements.
[[nodiscard]] Hdf5Handle hdf5_type(ElementType type);
/// UTF-8 text of `size` bytes, shorter ones padded with zeros; size H5T_VARIABLE: each of its own length.
[[nodiscard]] Hdf5Handle hdf5_text_type(std::size_t size);

/// The root attribute that says that a file was written to its end.
inline constexpr char kCompleteAttribute[] = "complete";
/// The root attribute that tells our own files, and its value.
inline constexpr char kWriterAttribute[] = "writer";
inline constexpr char kWriterName[] = "genrec_dist";
/// The attribute that tells bfloat16 from the 16-bit integers which hold it, and its value.
inline constexpr char kTypeAttribute[] = "dtype";
inline constexpr char kBFloat16Name[] = "bfloat16";

}  // namespace genrec
