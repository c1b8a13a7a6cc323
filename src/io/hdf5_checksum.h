#pragma once
#include <string>
#include <vector>

#include "io/hdf5_input.h"

namespace genrec {

inline constexpr char kChecksumAttribute[] = "sha256";

/// What the checksum of a dataset of strings covers: every string and a zero byte.
[[nodiscard]] std::string sha256_of_strings(const std::vector<std::string>& values);

[[nodiscard]] inline bool has_checksum(const Hdf5Handle& dataset) {
  return has_attribute(dataset, kChecksumAttribute);
}
/// Throws InputOutputError unless the dataset's checksum is `actual`.
void require_checksum(const Hdf5Input& file, const Hdf5Handle& dataset, const std::string& object,
                      const std::string& actual);

}  // namespace genrec
