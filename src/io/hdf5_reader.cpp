#include <algorithm>
#include <cerrno>
#include <optional>

#include "io/failure.h"
#include "io/hdf5.h"
#include "io/hdf5_handle.h"
#include "io/sha256.h"

namespace genrec {
namespace {

constexpr char kRemedy[] = "the file is damaged: take an older one, or make or copy it again";

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

std::int64_t product(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

}  // namespace

struct Hdf5Reader::Impl {
  std::filesystem::path path;
  hid_t file = H5I_INVALID_HID;

  explicit Impl(std::filesystem::path name) : path(std::move(name)) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (status.type() == std::filesystem::file_type::not_found) {
      throw MissingInput("no such file: " + path.string() + "; correct the path or provide the file");
    }
    if (status.type() == std::filesystem::file_type::directory) throw system_failure("read", path, EISDIR);
    const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 10, 7)
    // Honours another program's lock, but reads on file systems that have no locks.
    H5Pset_file_locking(access.get(), 1, 1);
#endif
    file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get());
    if (file < 0) throw InputOutputError("cannot read " + path.string() + ": " + hdf5_reason(kRemedy));
  }
  ~Impl() {
    if (file >= 0) H5Fclose(file);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] std::string where(const std::string& object) const {
    return path.string() + ", object " + object;
  }
  [[nodiscard]] InputOutputError unreadable(const std::string& object) const {
    return InputOutputError("cannot read " + where(object) + ": " + hdf5_reason(kRemedy));
  }
  [[nodiscard]] InputOutputError damaged(const std::string& object) const {
    return InputOutputError("cannot use " + where(object) + ": its content does not match its sha256; " +
                            kRemedy);
  }

  /// Every link on the way is looked at: the library takes a missing group on it as a failure.
  [[nodiscard]] bool has(const std::string& object) const {
    if (object == "/") return true;
    for (std::size_t slash = 0; slash != object.npos;) {
      slash = object.find('/', slash + 1);
      const htri_t exists = H5Lexists(file, object.substr(0, slash).c_str(), H5P_DEFAULT);
      if (exists < 0) throw unreadable(object);
      if (exists == 0) return false;
    }
    return H5Oexists_by_name(file, object.c_str(), H5P_DEFAULT) > 0;
  }
  [[nodiscard]] Hdf5Handle open(const std::string& object) const {
    if (!has(object)) {
      throw DataError(where(object) +
                      ": is absent; another kind or version of file was expected: check its name");
    }
    Hdf5Handle handle(H5Oopen(file, object.c_str(), H5P_DEFAULT));
    if (!handle) throw unreadable(object);
    return handle;
  }
  [[nodiscard]] Hdf5Handle open_dataset(const std::string& object) const {
    Hdf5Handle handle = open(object);
    if (H5Iget_type(handle.get()) != H5I_DATASET) {
      throw DataError(where(object) + ": is a group; a dataset was expected: check the file");
    }
    return handle;
  }
  [[nodiscard]] std::vector<std::int64_t> shape(const Hdf5Handle& dataset, const std::string& object) const {
    const Hdf5Handle space(H5Dget_space(dataset.get()));
    const int rank = H5Sget_simple_extent_ndims(space.get());
    if (rank < 0) throw unreadable(object);
    std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
    H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr);
    return {extents.begin(), extents.end()};
  }
  [[nodiscard]] ElementType element_type(const Hdf5Handle& dataset, const std::string& object) const {
    const Hdf5Handle type(H5Dget_type(dataset.get()));
    const auto found = element_type_of(type.get());
    if (!found)
      throw DataError(where(object) + ": holds no numbers where numbers were expected: check the file");
    if (H5Aexists(dataset.get(), kTypeAttribute) > 0 && H5Tget_size(type.get()) == 2 &&
        text_attribute(dataset, object, kTypeAttribute) == kBFloat16Name) {
      return ElementType::kBFloat16;
    }
    return *found;
  }
  void check_type(const Hdf5Handle& dataset, const std::string& object, ElementType wanted) const {
    const ElementType type = element_type(dataset, object);
    if (type != wanted) {
      throw DataError(where(object) + ": holds " + element_name(type) + " where " + element_name(wanted) +
                      " was expected; check the file");
    }
  }
  void read(const Hdf5Handle& dataset, const std::string& object, ElementType type,
            std::span<std::byte> target) const {
    if (!target.empty() &&
        H5Dread(dataset.get(), hdf5_type(type).get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, target.data()) < 0) {
      throw unreadable(object);
    }
    if (H5Aexists(dataset.get(), kChecksumAttribute) > 0 &&
        text_attribute(dataset, object, kChecksumAttribute) != sha256(target)) {
      throw damaged(object);
    }
  }

  /// One string, or the strings of one dimension, that the library has read into memory of its own.
  template <typename Read>
  [[nodiscard]] std::vector<std::string> texts(const Hdf5Handle& type, const Hdf5Handle& space,
                                               const std::string& object, Read read) const {
    const hssize_t count = H5Sget_simple_extent_npoints(space.get());
    if (count < 0) throw unreadable(object);
    std::vector<std::string> result;
    if (count == 0) return result;
    if (H5Tis_variable_str(type.get()) <= 0) {
      const std::size_t size = H5Tget_size(type.get());
      const Hdf5Handle memory(H5Tcopy(type.get()));
      std::string buffer(static_cast<std::size_t>(count) * size, '\0');
      if (read(memory.get(), buffer.data()) < 0) throw unreadable(object);
      for (std::size_t i = 0; i < buffer.size(); i += size)
        result.emplace_back(buffer.substr(i, size).c_str());
      return result;
    }
    const Hdf5Handle memory(H5Tcopy(type.get()));
    std::vector<char*> pointers(static_cast<std::size_t>(count), nullptr);
    if (read(memory.get(), static_cast<void*>(pointers.data())) < 0) throw unreadable(object);
    for (const char* pointer : pointers) result.emplace_back(pointer != nullptr ? pointer : "");
    H5Dvlen_reclaim(memory.get(), space.get(), H5P_DEFAULT, static_cast<void*>(pointers.data()));
    return result;
  }
  [[nodiscard]] std::vector<std::string> strings(const std::string& object) const {
    const Hdf5Handle dataset = open_dataset(object);
    const Hdf5Handle type(H5Dget_type(dataset.get()));
    if (H5Tget_class(type.get()) != H5T_STRING) {
      throw DataError(where(object) + ": holds no strings where strings were expected; check the file");
    }
    const Hdf5Handle space(H5Dget_space(dataset.get()));
    auto result = texts(type, space, object, [&](hid_t memory, void* target) {
      return H5Dread(dataset.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, target);
    });
    if (H5Aexists(dataset.get(), kChecksumAttribute) > 0 &&
        text_attribute(dataset, object, kChecksumAttribute) != sha256_of_strings(result)) {
      throw damaged(object);
    }
    return result;
  }

  [[nodiscard]] Hdf5Handle open_attribute(const Hdf5Handle& owner, const std::string& object,
                                          const std::string& name) const {
    if (H5Aexists(owner.get(), name.c_str()) <= 0) {
      throw DataError(where(object) + ": has no attribute " + name +
                      "; another kind or version of file was expected: check its name");
    }
    Hdf5Handle attribute(H5Aopen(owner.get(), name.c_str(), H5P_DEFAULT));
    if (!attribute) throw unreadable(object);
    return attribute;
  }
  [[nodiscard]] std::string text_attribute(const Hdf5Handle& owner, const std::string& object,
                                           const std::string& name) const {
    const Hdf5Handle attribute = open_attribute(owner, object, name);
    const Hdf5Handle type(H5Aget_type(attribute.get()));
    const Hdf5Handle space(H5Aget_space(attribute.get()));
    if (H5Tget_class(type.get()) != H5T_STRING || H5Sget_simple_extent_npoints(space.get()) != 1) {
      throw DataError(where(object) + ": attribute " + name + " is no text; check the file");
    }
    return texts(type, space, object,
                 [&](hid_t memory, void* target) { return H5Aread(attribute.get(), memory, target); })
        .front();
  }
  /// A single number; whole numbers where T is a whole number.
  template <typename T>
  [[nodiscard]] T number_attribute(const std::string& object, const std::string& name) const {
    const Hdf5Handle attribute = open_attribute(open(object), object, name);
    const Hdf5Handle type(H5Aget_type(attribute.get()));
    const Hdf5Handle space(H5Aget_space(attribute.get()));
    constexpr bool kWhole = std::is_integral_v<T>;
    const H5T_class_t kind = H5Tget_class(type.get());
    if ((kind != H5T_INTEGER && (kWhole || kind != H5T_FLOAT)) ||
        H5Sget_simple_extent_npoints(space.get()) != 1) {
      throw DataError(where(object) + ": attribute " + name + " is no " +
                      (kWhole ? "whole number" : "number") + "; check the file");
    }
    T value{};
    if (H5Aread(attribute.get(), kWhole ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE, &value) < 0) {
      throw unreadable(object);
    }
    return value;
  }

  /// Every link below a group, as the library visits it.
  [[nodiscard]] static herr_t collect(hid_t /*group*/, const char* name, const H5L_info_t* /*info*/,
                                      void* data) {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  }
};

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path) {
  start_hdf5();
  impl_ = std::make_unique<Impl>(path);
  if (has_attribute("/", kCompleteAttribute) && integer_attribute("/", kCompleteAttribute) != 1) {
    throw InputOutputError("cannot use " + path.string() +
                           ": it was not written to its end; delete it and take another, or make it again");
  }
}
Hdf5Reader::~Hdf5Reader() = default;

const std::filesystem::path& Hdf5Reader::path() const {
  return impl_->path;
}
bool Hdf5Reader::has(const std::string& object) const {
  return impl_->has(object);
}

std::vector<std::string> Hdf5Reader::list(const std::string& group) const {
  std::vector<std::string> names;
  if (!impl_->has(group)) return names;
  const Hdf5Handle handle = impl_->open(group);
  if (H5Iget_type(handle.get()) != H5I_GROUP) return names;
  if (H5Literate(handle.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, Impl::collect, &names) < 0) {
    throw impl_->unreadable(group);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Hdf5Reader::datasets() const {
  std::vector<std::string> names;
  if (H5Lvisit(impl_->file, H5_INDEX_NAME, H5_ITER_INC, Impl::collect, &names) < 0) {
    throw impl_->unreadable("/");
  }
  std::erase_if(names, [&](std::string& name) {
    name.insert(name.begin(), '/');
    const Hdf5Handle object(H5Oopen(impl_->file, name.c_str(), H5P_DEFAULT));
    // An object that cannot be opened stays in the list, so that verify() names it.
    return object && H5Iget_type(object.get()) != H5I_DATASET;
  });
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::int64_t> Hdf5Reader::shape(const std::string& object) const {
  return impl_->shape(impl_->open_dataset(object), object);
}

HostArray Hdf5Reader::read(const std::string& object) const {
  const Hdf5Handle dataset = impl_->open_dataset(object);
  HostArray array{impl_->element_type(dataset, object), impl_->shape(dataset, object), {}};
  array.bytes.resize(static_cast<std::size_t>(array.count()) * element_size(array.type));
  impl_->read(dataset, object, array.type, array.bytes);
  return array;
}

template <typename T>
std::vector<T> Hdf5Reader::read(const std::string& object) const {
  const ElementType type = HostArray::of<T>({}, {0}).type;
  const Hdf5Handle dataset = impl_->open_dataset(object);
  impl_->check_type(dataset, object, type);
  std::vector<T> values(static_cast<std::size_t>(product(impl_->shape(dataset, object))));
  impl_->read(dataset, object, type, std::as_writable_bytes(std::span(values)));
  return values;
}

template <typename T>
std::vector<T> Hdf5Reader::read_rows(const std::string& object, std::int64_t begin, std::int64_t end) const {
  const ElementType type = HostArray::of<T>({}, {0}).type;
  const Hdf5Handle dataset = impl_->open_dataset(object);
  impl_->check_type(dataset, object, type);
  std::vector<std::int64_t> shape = impl_->shape(dataset, object);
  if (shape.empty() || begin < 0 || begin > end || end > shape[0]) {
    throw DataError(impl_->where(object) + ": has not the rows " + std::to_string(begin) + " to " +
                    std::to_string(end) + " that were expected; check the file");
  }
  shape[0] = end - begin;
  std::vector<T> values(static_cast<std::size_t>(product(shape)));
  if (values.empty()) return values;
  std::vector<hsize_t> start(shape.size(), 0);
  start[0] = static_cast<hsize_t>(begin);
  const std::vector<hsize_t> count(shape.begin(), shape.end());
  const Hdf5Handle space(H5Dget_space(dataset.get()));
  const Hdf5Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
  if (H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0 ||
      H5Dread(dataset.get(), hdf5_type(type).get(), memory.get(), space.get(), H5P_DEFAULT, values.data()) <
          0) {
    throw impl_->unreadable(object);
  }
  return values;
}

std::vector<std::int64_t> Hdf5Reader::read_integers(const std::string& object) const {
  const Hdf5Handle dataset = impl_->open_dataset(object);
  const Hdf5Handle type(H5Dget_type(dataset.get()));
  if (H5Tget_class(type.get()) != H5T_INTEGER) {
    throw DataError(impl_->where(object) + ": holds no integers where integers were expected; check the file");
  }
  std::vector<std::int64_t> values(static_cast<std::size_t>(product(impl_->shape(dataset, object))));
  if (!values.empty() &&
      H5Dread(dataset.get(), H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
    throw impl_->unreadable(object);
  }
  return values;
}

std::vector<std::string> Hdf5Reader::read_strings(const std::string& object) const {
  return impl_->strings(object);
}

std::string Hdf5Reader::read_text(const std::string& object) const {
  std::vector<std::string> values = impl_->strings(object);
  if (values.size() != 1) {
    throw DataError(impl_->where(object) + ": holds " + std::to_string(values.size()) +
                    " strings where one was expected; check the file");
  }
  return std::move(values.front());
}

bool Hdf5Reader::has_attribute(const std::string& object, const std::string& name) const {
  return impl_->has(object) && H5Aexists(impl_->open(object).get(), name.c_str()) > 0;
}
std::string Hdf5Reader::text_attribute(const std::string& object, const std::string& name) const {
  return impl_->text_attribute(impl_->open(object), object, name);
}
std::int64_t Hdf5Reader::integer_attribute(const std::string& object, const std::string& name) const {
  return impl_->number_attribute<std::int64_t>(object, name);
}
double Hdf5Reader::real_attribute(const std::string& object, const std::string& name) const {
  return impl_->number_attribute<double>(object, name);
}

std::vector<std::string> Hdf5Reader::verify() const {
  std::vector<std::string> faults;
  std::vector<std::string> names;
  try {
    names = datasets();
  } catch (const Error& error) {
    faults.emplace_back(error.what());
  }
  for (const std::string& object : names) {
    try {
      const Hdf5Handle dataset = impl_->open_dataset(object);
      if (H5Aexists(dataset.get(), kChecksumAttribute) <= 0) continue;
      const Hdf5Handle type(H5Dget_type(dataset.get()));
      if (H5Tget_class(type.get()) == H5T_STRING) {
        (void)read_strings(object);
      } else {
        (void)read(object);
      }
    } catch (const Error& error) {
      faults.emplace_back(error.what());
    }
  }
  return faults;
}

#define GENREC_HDF5_READ(T)                                              \
  template std::vector<T> Hdf5Reader::read<T>(const std::string&) const; \
  template std::vector<T> Hdf5Reader::read_rows<T>(const std::string&, std::int64_t, std::int64_t) const;
GENREC_HDF5_READ(float)
GENREC_HDF5_READ(double)
GENREC_HDF5_READ(std::int32_t)
GENREC_HDF5_READ(std::int64_t)
GENREC_HDF5_READ(std::uint8_t)
GENREC_HDF5_READ(std::uint64_t)
#undef GENREC_HDF5_READ

}  // namespace genrec
