#include <algorithm>

#include "io/hdf5.h"
#include "io/hdf5_checksum.h"
#include "io/hdf5_driver.h"
#include "io/hdf5_handle.h"
#include "io/sha256.h"

namespace genrec {

struct Hdf5Writer::Impl {
  std::filesystem::path path;
  PartialFile partial;
  hid_t file = H5I_INVALID_HID;
  Hdf5Handle link_properties, group_properties;

  explicit Impl(std::filesystem::path final_path) : path(std::move(final_path)), partial(path) {
    const Hdf5Handle access(hdf5_access_to(partial));
    // From this format version on, all of the structure carries checksums: damage is found when it is read.
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V18);
    const Hdf5Handle creation(H5Pcreate(H5P_FILE_CREATE));
    group_properties = Hdf5Handle(H5Pcreate(H5P_GROUP_CREATE));
    link_properties = Hdf5Handle(H5Pcreate(H5P_LINK_CREATE));
    // Without times, equal content gives equal files.
    H5Pset_obj_track_times(creation.get(), 0);
    H5Pset_obj_track_times(group_properties.get(), 0);
    H5Pset_char_encoding(link_properties.get(), H5T_CSET_UTF8);
    file = H5Fcreate(partial.name().c_str(), H5F_ACC_TRUNC, creation.get(), access.get());
    check(file, "/");
  }
  ~Impl() {
    partial.abandon();
    close();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void close() {
    if (file >= 0) H5Fclose(std::exchange(file, H5I_INVALID_HID));
  }

  /// Throws for a negative result of the library, and for a failure that only the file below it saw.
  void check(hid_t result, const std::string& object) const {
    partial.check();
    if (result < 0) {
      throw InputOutputError("cannot write " + path.string() + ", object " + object + ": " +
                             hdf5_reason("write to another folder"));
    }
  }
  Hdf5Handle checked(hid_t id, const std::string& object) const {
    Hdf5Handle handle(id);
    check(id, object);
    return handle;
  }

  /// Makes the groups on the way to an object; "/a/b/c": "/a" and "/a/b".
  void make_groups_above(const std::string& object) {
    for (std::size_t slash = object.find('/', 1); slash != object.npos; slash = object.find('/', slash + 1)) {
      make_group(object.substr(0, slash));
    }
  }
  void make_group(const std::string& name) {
    const htri_t exists = H5Lexists(file, name.c_str(), H5P_DEFAULT);
    check(exists, name);
    if (exists == 0) {
      (void)checked(
          H5Gcreate2(file, name.c_str(), link_properties.get(), group_properties.get(), H5P_DEFAULT), name);
    }
  }

  /// Makes a dataset, fills it from `data`, and gives it the checksum.
  void write(const std::string& object, const Hdf5Handle& type, const std::vector<std::int64_t>& shape,
             const void* data, const std::string& checksum) {
    make_groups_above(object);
    const std::vector<hsize_t> extents(shape.begin(), shape.end());
    const Hdf5Handle space =
        checked(extents.empty() ? H5Screate(H5S_SCALAR)
                                : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                object);
    const Hdf5Handle properties(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_obj_track_times(properties.get(), 0);
    const Hdf5Handle dataset = checked(H5Dcreate2(file, object.c_str(), type.get(), space.get(),
                                                  link_properties.get(), properties.get(), H5P_DEFAULT),
                                       object);
    if (H5Sget_simple_extent_npoints(space.get()) > 0) {
      check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, data), object);
    }
    text_attribute(dataset, object, kChecksumAttribute, checksum);
  }

  void text_attribute(const Hdf5Handle& owner, const std::string& object, const std::string& name,
                      const std::string& value) {
    attribute(owner, object, name, hdf5_text_type(value.size()), value.c_str());
  }
  void attribute(const Hdf5Handle& owner, const std::string& object, const std::string& name,
                 const Hdf5Handle& type, const void* value) {
    if (H5Aexists(owner.get(), name.c_str()) > 0) check(H5Adelete(owner.get(), name.c_str()), object);
    const Hdf5Handle space(H5Screate(H5S_SCALAR));
    const Hdf5Handle handle = checked(
        H5Acreate2(owner.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), object);
    check(H5Awrite(handle.get(), type.get(), value), object);
  }
  Hdf5Handle open(const std::string& object) {
    if (object != "/") {
      make_groups_above(object);
      if (H5Lexists(file, object.c_str(), H5P_DEFAULT) <= 0) make_group(object);
    }
    return checked(H5Oopen(file, object.c_str(), H5P_DEFAULT), object);
  }
};

namespace {

/// Strings are padded to the longest one as long as this wastes little: the format's heap for strings of any
/// length is its only structure without a checksum, and the library may crash on a damaged one.
constexpr std::size_t kPaddedBytes = std::size_t{1} << 20;
constexpr std::size_t kPaddedFactor = 8;

/// The format ends a string at its first zero byte.
void refuse_zero_bytes(const std::filesystem::path& path, const std::string& object, std::string_view text) {
  if (text.find('\0') != text.npos) {
    throw DataError("cannot write " + path.string() + ", object " + object +
                    ": a text holds a zero byte; remove it from the input");
  }
}

}  // namespace

Hdf5Writer::Hdf5Writer(std::filesystem::path path) {
  start_hdf5();
  impl_ = std::make_unique<Impl>(std::move(path));
  attribute("/", kWriterAttribute, std::string(kWriterName));
  attribute("/", kCompleteAttribute, std::int64_t{0});
}

Hdf5Writer::~Hdf5Writer() = default;

void Hdf5Writer::write(const std::string& object, const HostArray& array) {
  if (static_cast<std::size_t>(array.count()) * element_size(array.type) != array.bytes.size()) {
    throw Error(ExitCode::kInternal, "the array for " + object + " has not the number of bytes of its shape");
  }
  impl_->write(object, hdf5_type(array.type), array.shape, array.bytes.data(), sha256(array.bytes));
  if (array.type == ElementType::kBFloat16) attribute(object, kTypeAttribute, std::string(kBFloat16Name));
}

template <typename T>
void Hdf5Writer::write(const std::string& object, std::span<const T> values,
                       std::vector<std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  if (count != static_cast<std::int64_t>(values.size())) {
    throw Error(ExitCode::kInternal,
                "the array for " + object + " has not the number of elements of its shape");
  }
  impl_->write(object, hdf5_type(HostArray::of<T>({}, {0}).type), shape, values.data(),
               sha256(std::as_bytes(values)));
}

void Hdf5Writer::write_strings(const std::string& object, const std::vector<std::string>& values) {
  std::size_t width = 1;
  std::size_t total = 0;
  for (const std::string& value : values) {
    refuse_zero_bytes(impl_->path, object, value);
    width = std::max(width, value.size());
    total += value.size();
  }
  const std::vector<std::int64_t> shape{static_cast<std::int64_t>(values.size())};
  const std::string checksum = sha256_of_strings(values);
  if (width * values.size() <= kPaddedBytes + kPaddedFactor * total) {
    std::string padded(width * values.size(), '\0');
    for (std::size_t i = 0; i < values.size(); ++i) values[i].copy(padded.data() + i * width, width);
    impl_->write(object, hdf5_text_type(width), shape, padded.data(), checksum);
    return;
  }
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(value.c_str());
  impl_->write(object, hdf5_text_type(H5T_VARIABLE), shape, pointers.data(), checksum);
}

void Hdf5Writer::write_text(const std::string& object, std::string_view text) {
  refuse_zero_bytes(impl_->path, object, text);
  const std::string value(text);
  impl_->write(object, hdf5_text_type(value.size()), {}, value.c_str(), sha256_of_strings({value}));
}

void Hdf5Writer::attribute(const std::string& object, const std::string& name, const std::string& value) {
  refuse_zero_bytes(impl_->path, object, value);
  impl_->text_attribute(impl_->open(object), object, name, value);
}
void Hdf5Writer::attribute(const std::string& object, const std::string& name, std::int64_t value) {
  impl_->attribute(impl_->open(object), object, name, hdf5_type(ElementType::kInt64), &value);
}
void Hdf5Writer::attribute(const std::string& object, const std::string& name, double value) {
  impl_->attribute(impl_->open(object), object, name, hdf5_type(ElementType::kFloat64), &value);
}

void Hdf5Writer::commit() {
  attribute("/", kCompleteAttribute, std::int64_t{1});
  impl_->check(H5Fflush(impl_->file, H5F_SCOPE_GLOBAL), "/");
  const herr_t closed = H5Fclose(std::exchange(impl_->file, H5I_INVALID_HID));
  impl_->check(closed, "/");
  impl_->partial.publish();
}

#define GENREC_HDF5_WRITE(T) \
  template void Hdf5Writer::write<T>(const std::string&, std::span<const T>, std::vector<std::int64_t>);
GENREC_HDF5_WRITE(float)
GENREC_HDF5_WRITE(double)
GENREC_HDF5_WRITE(std::int32_t)
GENREC_HDF5_WRITE(std::int64_t)
GENREC_HDF5_WRITE(std::uint8_t)
GENREC_HDF5_WRITE(std::uint64_t)
#undef GENREC_HDF5_WRITE

}  // namespace genrec
