#include "io/hdf5_checksum.h"

#include <string_view>

#include "io/hdf5.h"
#include "io/sha256.h"

namespace genrec {
namespace {

/// Hdf5Writer gives every dataset a checksum.
bool is_our_own(const Hdf5Reader& file) {
  try {
    return file.has_attribute("/", kWriterAttribute) &&
           file.text_attribute("/", kWriterAttribute) == kWriterName;
  } catch (const DataError&) {  // no text: another program's
    return false;
  }
}

}  // namespace

std::string sha256_of_strings(const std::vector<std::string>& values) {
  Sha256 hash;
  for (const std::string& value : values) hash.update(std::string_view(value.c_str(), value.size() + 1));
  return hash.finish();
}

void require_checksum(const Hdf5Input& file, const Hdf5Handle& dataset, const std::string& object,
                      const std::string& actual) {
  if (file.text_attribute(dataset, object, kChecksumAttribute) == actual) return;
  throw InputOutputError("cannot use " + file.where(object) + ": its content does not match its sha256; " +
                         kDamageRemedy);
}

Hdf5Checksums Hdf5Reader::check_checksums() const {
  Hdf5Checksums result;
  std::vector<std::string> names;
  try {
    names = datasets();
  } catch (const Error& error) {
    result.faults.emplace_back(error.what());
  }
  const bool our_own = is_our_own(*this);
  for (const std::string& object : names) {
    try {
      const Hdf5Handle dataset = input_->open_dataset(object);
      if (!has_checksum(dataset)) {
        ++result.unchecked;
        if (our_own) {
          result.faults.push_back("cannot use " + input_->where(object) +
                                  ": it has lost its sha256, which this program always writes; " +
                                  kDamageRemedy);
        }
        continue;
      }
      ++result.checked;
      const Hdf5Handle type(H5Dget_type(dataset.get()));
      if (H5Tget_class(type.get()) == H5T_STRING) {
        (void)read_strings(object);
      } else {
        (void)read(object);
      }
    } catch (const Error& error) {
      result.faults.emplace_back(error.what());
    }
  }
  return result;
}

}  // namespace genrec
