#pragma once
#include <hdf5.h>

#include "io/partial_file.h"

namespace genrec {

/// A file access property list, which the caller closes, for H5Fcreate to write into `file`. This is a file
/// driver of our own because the library cannot be closed safely after a failed write: with the usual driver,
/// a full disk makes the program crash in the library's clean-up at exit. Here the library is told that all
/// went well.
[[nodiscard]] hid_t hdf5_access_to(PartialFile& file);

}  // namespace genrec
