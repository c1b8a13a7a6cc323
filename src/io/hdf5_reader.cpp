#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include "io/hdf5.h"
#include "io/hdf5_checksum.h"
#include "io/hdf5_input.h"
#include "io/sha256.h"

namespace genrec {
namespace {

std::int64_t product(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

template <typename T>
ElementType element_type_of() {
  return HostArray::of<T>({}, {0}).type;
}

/// A whole dataset of numbers, checked.
void read_all(const Hdf5Input& file, const Hdf5Handle& dataset, const std::string& object, ElementType type,
              std::span<std::byte> target) {
  if (!target.empty() &&
      H5Dread(dataset.get(), hdf5_type(type).get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, target.data()) < 0) {
    throw file.unreadable(object);
  }
  if (has_checksum(dataset)) require_checksum(file, dataset, object, sha256(target));
}

bool is_floating(ElementType type) {
  return type == ElementType::kFloat16 || type == ElementType::kBFloat16 || type == ElementType::kFloat32 ||
         type == ElementType::kFloat64;
}

/// Puts rows of an open dataset of `shape` into `target`, without a look at the checksum.
void read_slab(const Hdf5Input& file, const Hdf5Handle& dataset, const std::string& object, ElementType type,
               const std::vector<std::int64_t>& shape, std::int64_t begin, std::int64_t end,
               std::span<std::byte> target) {
  if (target.empty()) return;
  std::vector<hsize_t> start(shape.size(), 0);
  std::vector<hsize_t> count(shape.begin(), shape.end());
  start[0] = static_cast<hsize_t>(begin);
  count[0] = static_cast<hsize_t>(end - begin);
  const Hdf5Handle space(H5Dget_space(dataset.get()));
  const Hdf5Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
  if (H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0 ||
      H5Dread(dataset.get(), hdf5_type(type).get(), memory.get(), space.get(), H5P_DEFAULT, target.data()) <
          0) {
    throw file.unreadable(object);
  }
}

template <typename T>
std::vector<T> read_slab(const Hdf5Input& file, const Hdf5Handle& dataset, const std::string& object,
                         std::vector<std::int64_t> shape, std::int64_t begin, std::int64_t end) {
  shape[0] = end - begin;
  std::vector<T> values(static_cast<std::size_t>(product(shape)));
  read_slab(file, dataset, object, element_type_of<T>(), shape, begin, end,
            std::as_writable_bytes(std::span(values)));
  return values;
}

/// The shape of a dataset that is read in rows.
std::vector<std::int64_t> shape_of_rows(const Hdf5Input& file, const Hdf5Handle& dataset,
                                        const std::string& object) {
  std::vector<std::int64_t> shape = file.shape(dataset, object);
  if (shape.empty()) {
    throw DataError(file.where(object) + ": is a single number where rows were expected; check the file");
  }
  return shape;
}

/// Every link below a group, as the library visits it.
herr_t collect(hid_t /*group*/, const char* name, const H5L_info_t* /*info*/, void* data) {
  static_cast<std::vector<std::string>*>(data)->emplace_back(name);
  return 0;
}

}  // namespace

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path) : input_(std::make_unique<Hdf5Input>(path)) {
  if (has_attribute("/", kCompleteAttribute) && integer_attribute("/", kCompleteAttribute) != 1) {
    throw InputOutputError("cannot use " + path.string() +
                           ": it was not written to its end; delete it and take another, or make it again");
  }
}
Hdf5Reader::~Hdf5Reader() = default;

const std::filesystem::path& Hdf5Reader::path() const {
  return input_->path();
}
bool Hdf5Reader::has(const std::string& object) const {
  return input_->has(object);
}

std::vector<std::string> Hdf5Reader::list(const std::string& group) const {
  std::vector<std::string> names;
  if (!input_->has(group)) return names;
  const Hdf5Handle handle = input_->open(group);
  if (H5Iget_type(handle.get()) != H5I_GROUP) return names;
  if (H5Literate(handle.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names) < 0) {
    throw input_->unreadable(group);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Hdf5Reader::datasets() const {
  std::vector<std::string> names;
  if (H5Lvisit(input_->id(), H5_INDEX_NAME, H5_ITER_INC, collect, &names) < 0) {
    throw input_->unreadable("/");
  }
  std::erase_if(names, [&](std::string& name) {
    name.insert(name.begin(), '/');
    const Hdf5Handle object(H5Oopen(input_->id(), name.c_str(), H5P_DEFAULT));
    // An object that cannot be opened stays in the list, so that check_checksums() names it.
    return object && H5Iget_type(object.get()) != H5I_DATASET;
  });
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::int64_t> Hdf5Reader::shape(const std::string& object) const {
  return input_->shape(input_->open_dataset(object), object);
}

HostArray Hdf5Reader::read(const std::string& object) const {
  const Hdf5Handle dataset = input_->open_dataset(object);
  HostArray array{input_->element_type(dataset, object), input_->shape(dataset, object), {}};
  array.bytes.resize(static_cast<std::size_t>(array.count()) * element_size(array.type));
  read_all(*input_, dataset, object, array.type, array.bytes);
  return array;
}

template <typename T>
std::vector<T> Hdf5Reader::read(const std::string& object) const {
  const Hdf5Handle dataset = input_->open_dataset(object);
  input_->require_type(dataset, object, element_type_of<T>());
  std::vector<T> values(static_cast<std::size_t>(product(input_->shape(dataset, object))));
  read_all(*input_, dataset, object, element_type_of<T>(), std::as_writable_bytes(std::span(values)));
  return values;
}

template <typename T>
void Hdf5Reader::read_blocks(
    const std::string& object, std::int64_t rows,
    const std::function<void(std::int64_t begin, std::span<const T> block)>& sink) const {
  const Hdf5Handle dataset = input_->open_dataset(object);
  input_->require_type(dataset, object, element_type_of<T>());
  const std::vector<std::int64_t> shape = shape_of_rows(*input_, dataset, object);
  Sha256 hash;
  for (std::int64_t begin = 0; begin < shape[0]; begin += rows) {
    const std::int64_t end = std::min(begin + rows, shape[0]);
    const std::vector<T> block = read_slab<T>(*input_, dataset, object, shape, begin, end);
    hash.update(std::as_bytes(std::span<const T>(block)));
    sink(begin, block);
  }
  if (has_checksum(dataset)) require_checksum(*input_, dataset, object, hash.finish());
}

std::string Hdf5Reader::read_float_blocks(
    const std::string& object, std::int64_t rows,
    const std::function<void(std::int64_t begin, std::span<const float> block)>& sink) const {
  const Hdf5Handle dataset = input_->open_dataset(object);
  const ElementType type = input_->element_type(dataset, object);
  if (!is_floating(type)) {
    throw DataError(input_->where(object) + ": holds " + element_name(type) +
                    " where floating-point numbers were expected; check the file");
  }
  const std::vector<std::int64_t> shape = shape_of_rows(*input_, dataset, object);
  Sha256 hash;
  HostArray block{type, shape, {}};
  for (std::int64_t begin = 0; begin < shape[0]; begin += rows) {
    const std::int64_t end = std::min(begin + rows, shape[0]);
    block.shape[0] = end - begin;
    block.bytes.resize(static_cast<std::size_t>(block.count()) * element_size(type));
    read_slab(*input_, dataset, object, type, shape, begin, end, block.bytes);
    hash.update(block.bytes);
    sink(begin, block.to_float());
  }
  std::string checksum = hash.finish();
  if (has_checksum(dataset)) require_checksum(*input_, dataset, object, checksum);
  return checksum;
}

std::vector<std::int64_t> Hdf5Reader::read_integers(const std::string& object) const {
  const Hdf5Handle dataset = input_->open_dataset(object);
  const Hdf5Handle type(H5Dget_type(dataset.get()));
  if (H5Tget_class(type.get()) != H5T_INTEGER) {
    throw DataError(input_->where(object) +
                    ": holds no integers where integers were expected; check the file");
  }
  std::vector<std::int64_t> values(static_cast<std::size_t>(product(input_->shape(dataset, object))));
  if (!values.empty() &&
      H5Dread(dataset.get(), H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
    throw input_->unreadable(object);
  }
  return values;
}

std::vector<std::string> Hdf5Reader::read_strings(const std::string& object) const {
  const Hdf5Handle dataset = input_->open_dataset(object);
  std::vector<std::string> values = input_->strings(dataset, object);
  if (has_checksum(dataset)) require_checksum(*input_, dataset, object, sha256_of_strings(values));
  return values;
}

std::string Hdf5Reader::read_text(const std::string& object) const {
  std::vector<std::string> values = read_strings(object);
  if (values.size() != 1) {
    throw DataError(input_->where(object) + ": holds " + std::to_string(values.size()) +
                    " strings where one was expected; check the file");
  }
  return std::move(values.front());
}

bool Hdf5Reader::has_attribute(const std::string& object, const std::string& name) const {
  return input_->has(object) && genrec::has_attribute(input_->open(object), name);
}
std::string Hdf5Reader::text_attribute(const std::string& object, const std::string& name) const {
  return input_->text_attribute(input_->open(object), object, name);
}
std::int64_t Hdf5Reader::integer_attribute(const std::string& object, const std::string& name) const {
  return input_->number_attribute<std::int64_t>(object, name);
}
double Hdf5Reader::real_attribute(const std::string& object, const std::string& name) const {
  return input_->number_attribute<double>(object, name);
}

bool has_hdf5_signature(const std::filesystem::path& path) {
  static constexpr std::array<char, 8> kSignature{'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
  std::array<char, kSignature.size()> begin{};
  std::ifstream file(path, std::ios::binary);
  return file.read(begin.data(), begin.size()) && begin == kSignature;
}

#define GENREC_HDF5_READ(T)                                              \
  template std::vector<T> Hdf5Reader::read<T>(const std::string&) const; \
  template void Hdf5Reader::read_blocks<T>(                              \
      const std::string&, std::int64_t, const std::function<void(std::int64_t, std::span<const T>)>&) const;
GENREC_HDF5_READ(float)
GENREC_HDF5_READ(double)
GENREC_HDF5_READ(std::int32_t)
GENREC_HDF5_READ(std::int64_t)
GENREC_HDF5_READ(std::uint8_t)
GENREC_HDF5_READ(std::uint64_t)
#undef GENREC_HDF5_READ

}  // namespace genrec
