#include "io/hdf5_driver.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif
#include <algorithm>
#include <cstdint>
#include <new>

#include "base/error.h"

namespace genrec {
namespace {

/// What the library sees of an open file: its public part first, as drivers must.
struct DriverFile {
  H5FD_t base;
  PartialFile* file;
  haddr_t end_of_allocation;
};

DriverFile* own(H5FD_t* file) {
  return reinterpret_cast<DriverFile*>(file);
}
const DriverFile* own(const H5FD_t* file) {
  return reinterpret_cast<const DriverFile*>(file);
}

H5FD_t* open_file(const char* /*name*/, unsigned /*flags*/, hid_t properties, haddr_t /*most*/) {
  const auto* file = static_cast<PartialFile* const*>(H5Pget_driver_info(properties));
  auto* result = new (std::nothrow) DriverFile{};
  if (file == nullptr || result == nullptr) return nullptr;
  result->file = *file;
  return &result->base;
}

herr_t close_file(H5FD_t* file) {
  delete own(file);
  return 0;
}

herr_t query_features(const H5FD_t* /*file*/, unsigned long* flags) {
  if (flags != nullptr) {
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
  }
  return 0;
}

haddr_t get_end_of_allocation(const H5FD_t* file, H5FD_mem_t /*kind*/) {
  return own(file)->end_of_allocation;
}
herr_t set_end_of_allocation(H5FD_t* file, H5FD_mem_t /*kind*/, haddr_t end) {
  own(file)->end_of_allocation = end;
  return 0;
}
haddr_t get_end_of_file(const H5FD_t* file, H5FD_mem_t /*kind*/) {
  return own(file)->file->size();
}

herr_t read_file(H5FD_t* file, H5FD_mem_t /*kind*/, hid_t /*transfer*/, haddr_t offset, std::size_t size,
                 void* data) {
  own(file)->file->read(offset, data, size);
  return 0;
}
herr_t write_file(H5FD_t* file, H5FD_mem_t /*kind*/, hid_t /*transfer*/, haddr_t offset, std::size_t size,
                  const void* data) {
  own(file)->file->write(offset, data, size);
  return 0;
}
herr_t truncate_file(H5FD_t* file, hid_t /*transfer*/, hbool_t /*closing*/) {
  own(file)->file->truncate(own(file)->end_of_allocation);
  return 0;
}

hid_t driver() {
  static const hid_t id = [] {
    static H5FD_class_t description{};
#if H5_VERSION_GE(1, 13, 0)
    description.version = H5FD_CLASS_VERSION;
    description.value = static_cast<H5FD_class_value_t>(H5_VFD_RESERVED + 143);
#endif
    description.name = "genrec_partial";
    description.maxaddr = static_cast<haddr_t>(INT64_MAX);
    description.fc_degree = H5F_CLOSE_STRONG;
    description.fapl_size = sizeof(PartialFile*);
    description.open = open_file;
    description.close = close_file;
    description.query = query_features;
    description.get_eoa = get_end_of_allocation;
    description.set_eoa = set_end_of_allocation;
    description.get_eof = get_end_of_file;
    description.read = read_file;
    description.write = write_file;
    description.truncate = truncate_file;
    const H5FD_mem_t kinds[] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(kinds), std::end(kinds), description.fl_map);
    return H5FDregister(&description);
  }();
  return id;
}

}  // namespace

hid_t hdf5_access_to(PartialFile& file) {
  const hid_t properties = H5Pcreate(H5P_FILE_ACCESS);
  PartialFile* pointer = &file;
  if (H5Pset_driver(properties, driver(), static_cast<const void*>(&pointer)) < 0) {
    throw Error(ExitCode::kInternal, "the HDF5 library refused the file driver");
  }
  return properties;
}

}  // namespace genrec
