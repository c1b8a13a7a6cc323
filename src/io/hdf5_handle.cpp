#include "io/hdf5_handle.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "io/failure.h"
#include "io/hdf5.h"

namespace genrec {

static_assert(std::endian::native == std::endian::little, "files hold the bytes of little-endian machines");

void start_hdf5() {
  static std::once_flag once;
  std::call_once(once, [] { H5open(); });
  // The setting belongs to the calling thread where the library was built for threads.
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string hdf5_reason(const std::string& usual) {
  struct Found {
    std::string deepest, system;
  } found;
  const auto visit = [](unsigned /*depth*/, const H5E_error2_t* entry, void* data) -> herr_t {
    auto& result = *static_cast<Found*>(data);
    const std::string text = entry->desc != nullptr ? entry->desc : "";
    if (result.deepest.empty()) result.deepest = text;
    if (result.system.empty() && text.find("errno = ") != text.npos) result.system = text;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &found);
  if (!found.system.empty()) {
    const int code =
        std::atoi(found.system.c_str() + found.system.find("errno = ") + std::strlen("errno = "));
    const std::string what = found.system.substr(0, found.system.find_first_of(",:"));
    return what + " (" + std::strerror(code) + "); " + remedy_of(code);
  }
  for (char& c : found.deepest) {
    if (c == '\n') c = ' ';
  }
  return (found.deepest.empty() ? "the HDF5 library gives no reason" : found.deepest) + "; " + usual;
}

Hdf5Handle hdf5_type(ElementType type) {
  const auto copy = [](hid_t id) { return Hdf5Handle(H5Tcopy(id)); };
  switch (type) {
    case ElementType::kFloat32:
      return copy(H5T_IEEE_F32LE);
    case ElementType::kFloat64:
      return copy(H5T_IEEE_F64LE);
    case ElementType::kFloat16: {
      // IEEE 754 binary16: sign at bit 15, 5 bits of exponent from bit 10, 10 of fraction, bias 15.
      Hdf5Handle half = copy(H5T_IEEE_F32LE);
      H5Tset_fields(half.get(), 15, 10, 5, 0, 10);
      H5Tset_size(half.get(), 2);
      H5Tset_ebias(half.get(), 15);
      return half;
    }
    case ElementType::kBFloat16:
      return copy(H5T_STD_U16LE);
    case ElementType::kInt32:
      return copy(H5T_STD_I32LE);
    case ElementType::kInt64:
      return copy(H5T_STD_I64LE);
    case ElementType::kUInt8:
      return copy(H5T_STD_U8LE);
    case ElementType::kUInt64:
      return copy(H5T_STD_U64LE);
  }
  throw Error(ExitCode::kInternal, "unknown element type");
}

Hdf5Handle hdf5_text_type(std::size_t size) {
  Hdf5Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.get(), std::max<std::size_t>(size, 1));
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  return type;
}

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

}  // namespace genrec
