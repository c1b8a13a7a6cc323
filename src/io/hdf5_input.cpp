#include "io/hdf5_input.h"

#include <cerrno>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include "io/failure.h"

namespace genrec {
namespace {

/// The element type that holds every value of a file's type, if any does. Ours are found as they were
/// written; of foreign files, short integers widen and big-endian numbers turn.
std::optional<ElementType> element_type_of(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  if (H5Tget_class(type) == H5T_FLOAT) {
    if (size == 8) return ElementType::kFloat64;
    if (size == 4) return ElementType::kFloat32;
    if (size == 2) return ElementType::kFloat16;
  }
  if (H5Tget_class(type) == H5T_INTEGER) {
    if (H5Tget_sign(type) == H5T_SGN_NONE) {
      if (size == 1) return ElementType::kUInt8;
      if (size == 2) return ElementType::kInt32;
      if (size == 4) return ElementType::kInt64;
      if (size == 8) return ElementType::kUInt64;
    }
    if (size <= 4) return ElementType::kInt32;
    if (size == 8) return ElementType::kInt64;
  }
  return std::nullopt;
}

}  // namespace

Hdf5Input::Hdf5Input(std::filesystem::path path) : path_(std::move(path)) {
  start_hdf5();
  std::error_code error;
  const auto status = std::filesystem::status(path_, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    throw MissingInput("no such file: " + path_.string() + "; correct the path or provide the file");
  }
  if (status.type() == std::filesystem::file_type::directory) throw system_failure("read", path_, EISDIR);
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 10, 7)
  // Honours another program's lock, but reads on file systems that have no locks.
  H5Pset_file_locking(access.get(), 1, 1);
#endif
  file_ = H5Fopen(path_.c_str(), H5F_ACC_RDONLY, access.get());
  if (file_ < 0) {
    throw InputOutputError("cannot read " + path_.string() + ": " + hdf5_reason(kDamageRemedy));
  }
}

Hdf5Input::~Hdf5Input() {
  if (file_ >= 0) H5Fclose(file_);
}

std::string Hdf5Input::where(const std::string& object) const {
  return path_.string() + ", object " + object;
}

InputOutputError Hdf5Input::unreadable(const std::string& object) const {
  return InputOutputError("cannot read " + where(object) + ": " + hdf5_reason(kDamageRemedy));
}

/// Every link on the way is looked at: the library takes a missing group on it as a failure.
bool Hdf5Input::has(const std::string& object) const {
  if (object == "/") return true;
  for (std::size_t slash = 0; slash != object.npos;) {
    slash = object.find('/', slash + 1);
    const htri_t exists = H5Lexists(file_, object.substr(0, slash).c_str(), H5P_DEFAULT);
    if (exists < 0) throw unreadable(object);
    if (exists == 0) return false;
  }
  return H5Oexists_by_name(file_, object.c_str(), H5P_DEFAULT) > 0;
}

Hdf5Handle Hdf5Input::open(const std::string& object) const {
  if (!has(object)) {
    throw DataError(where(object) +
                    ": is absent; another kind or version of file was expected: check its name");
  }
  Hdf5Handle handle(H5Oopen(file_, object.c_str(), H5P_DEFAULT));
  if (!handle) throw unreadable(object);
  return handle;
}

Hdf5Handle Hdf5Input::open_dataset(const std::string& object) const {
  Hdf5Handle handle = open(object);
  if (H5Iget_type(handle.get()) != H5I_DATASET) {
    throw DataError(where(object) + ": is a group; a dataset was expected: check the file");
  }
  return handle;
}

std::vector<std::int64_t> Hdf5Input::shape(const Hdf5Handle& dataset, const std::string& object) const {
  const Hdf5Handle space(H5Dget_space(dataset.get()));
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0) throw unreadable(object);
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr);
  return {extents.begin(), extents.end()};
}

ElementType Hdf5Input::element_type(const Hdf5Handle& dataset, const std::string& object) const {
  const Hdf5Handle type(H5Dget_type(dataset.get()));
  const auto found = element_type_of(type.get());
  if (!found) {
    throw DataError(where(object) + ": holds no numbers where numbers were expected: check the file");
  }
  if (H5Tget_size(type.get()) == 2 && has_attribute(dataset, kTypeAttribute) &&
      text_attribute(dataset, object, kTypeAttribute) == kBFloat16Name) {
    return ElementType::kBFloat16;
  }
  return *found;
}

void Hdf5Input::require_type(const Hdf5Handle& dataset, const std::string& object, ElementType wanted) const {
  const ElementType type = element_type(dataset, object);
  if (type == wanted) return;
  throw DataError(where(object) + ": holds " + element_name(type) + " where " + element_name(wanted) +
                  " was expected; check the file");
}

/// One string, or the strings of one dimension; `read` has the library put them into memory.
std::vector<std::string> Hdf5Input::texts(const Hdf5Handle& type, const Hdf5Handle& space,
                                          const std::string& object, const ReadTexts& read) const {
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (count < 0) throw unreadable(object);
  std::vector<std::string> result;
  if (count == 0) return result;
  const Hdf5Handle memory(H5Tcopy(type.get()));
  if (H5Tis_variable_str(type.get()) <= 0) {
    const std::size_t size = H5Tget_size(type.get());
    std::string buffer(static_cast<std::size_t>(count) * size, '\0');
    if (read(memory.get(), buffer.data()) < 0) throw unreadable(object);
    for (std::size_t i = 0; i < buffer.size(); i += size) {
      result.emplace_back(buffer.substr(i, size).c_str());
    }
    return result;
  }
  std::vector<char*> pointers(static_cast<std::size_t>(count), nullptr);
  if (read(memory.get(), static_cast<void*>(pointers.data())) < 0) throw unreadable(object);
  for (const char* pointer : pointers) result.emplace_back(pointer != nullptr ? pointer : "");
  H5Dvlen_reclaim(memory.get(), space.get(), H5P_DEFAULT, static_cast<void*>(pointers.data()));
  return result;
}

std::vector<std::string> Hdf5Input::strings(const Hdf5Handle& dataset, const std::string& object) const {
  const Hdf5Handle type(H5Dget_type(dataset.get()));
  if (H5Tget_class(type.get()) != H5T_STRING) {
    throw DataError(where(object) + ": holds no strings where strings were expected; check the file");
  }
  const Hdf5Handle space(H5Dget_space(dataset.get()));
  return texts(type, space, object, [&dataset](hid_t memory, void* target) {
    return H5Dread(dataset.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, target);
  });
}

Hdf5Handle Hdf5Input::open_attribute(const Hdf5Handle& owner, const std::string& object,
                                     const std::string& name) const {
  if (!has_attribute(owner, name)) {
    throw DataError(where(object) + ": has no attribute " + name +
                    "; another kind or version of file was expected: check its name");
  }
  Hdf5Handle attribute(H5Aopen(owner.get(), name.c_str(), H5P_DEFAULT));
  if (!attribute) throw unreadable(object);
  return attribute;
}

std::string Hdf5Input::text_attribute(const Hdf5Handle& owner, const std::string& object,
                                      const std::string& name) const {
  const Hdf5Handle attribute = open_attribute(owner, object, name);
  const Hdf5Handle type(H5Aget_type(attribute.get()));
  const Hdf5Handle space(H5Aget_space(attribute.get()));
  if (H5Tget_class(type.get()) != H5T_STRING || H5Sget_simple_extent_npoints(space.get()) != 1) {
    throw DataError(where(object) + ": attribute " + name + " is no text; check the file");
  }
  const auto read = [&attribute](hid_t memory, void* target) {
    return H5Aread(attribute.get(), memory, target);
  };
  return texts(type, space, object, read).front();
}

template <typename T>
T Hdf5Input::number_attribute(const std::string& object, const std::string& name) const {
  const Hdf5Handle attribute = open_attribute(open(object), object, name);
  const Hdf5Handle type(H5Aget_type(attribute.get()));
  const Hdf5Handle space(H5Aget_space(attribute.get()));
  constexpr bool kWhole = std::is_integral_v<T>;
  const H5T_class_t kind = H5Tget_class(type.get());
  if ((kind != H5T_INTEGER && (kWhole || kind != H5T_FLOAT)) ||
      H5Sget_simple_extent_npoints(space.get()) != 1) {
    throw DataError(where(object) + ": attribute " + name + " is no " + (kWhole ? "whole number" : "number") +
                    "; check the file");
  }
  T value{};
  if (H5Aread(attribute.get(), kWhole ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE, &value) < 0) {
    throw unreadable(object);
  }
  return value;
}

template std::int64_t Hdf5Input::number_attribute<std::int64_t>(const std::string&, const std::string&) const;
template double Hdf5Input::number_attribute<double>(const std::string&, const std::string&) const;

}  // namespace genrec
