#pragma once
#include <string>

#include "io/hdf5.h"
#include "tokenizers/identifier_table.h"

namespace genrec {

// An identifier table in an HDF5 file, dataset or checkpoint: GROUP/identifiers (i32, the numbers of the
// symbols of all items one behind the other), GROUP/identifier_lengths (i32, one an item) and GROUP/symbols
// (their names).

void write_identifiers(Hdf5Writer& file, const std::string& group, const IdentifierTable& table);

/// The same table, symbols numbered as it was. Throws InputOutputError (damaged) or DataError, naming file
/// and object.
[[nodiscard]] IdentifierTable read_identifiers(const Hdf5Reader& file, const std::string& group);

}  // namespace genrec
