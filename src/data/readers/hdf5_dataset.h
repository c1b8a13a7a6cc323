#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>

#include "data/dataset.h"
#include "data/repairs.h"
#include "data/whole_dataset.h"

namespace genrec {

class Hdf5Writer;

// The program's own dataset file. Root attributes: name (text), schema_version (1) and, where this program
// wrote it, fingerprint and repeated_items. Datasets: /interactions/offsets i64 [users + 1],
// /interactions/items i32 [interactions], /items/title and /items/description (UTF-8 texts as clean_text
// leaves them) [items]; also, where the dataset has them, the items' identifiers in kIdentifierGroup
// (tokenizers/identifier_hdf5.h). Others may be there, such as /items/original_id and /users/original_id, and
// are not read.

/// The group of a dataset's identifiers; a checkpoint has its own in one of the same name.
inline constexpr char kIdentifierGroup[] = "/items";

/// True for a file of write_hdf5_dataset, which can be read by parts.
[[nodiscard]] bool has_fingerprint(const std::filesystem::path& path);

/// True for a file, dataset or checkpoint, with the items' identifiers in it.
[[nodiscard]] bool holds_identifiers(const std::filesystem::path& path);

/// All users (the first `max_users` when that is not 0). Throws MissingInput, InputOutputError (also for
/// content that does not match its checksum), or DataError naming file and dataset.
[[nodiscard]] WholeDataset read_hdf5_dataset(const std::filesystem::path& path, std::int64_t max_users);

/// Only a rank's users, for a file with a fingerprint: offsets whole, items in blocks of bounded size. Every
/// rank reads all blocks, because the checksum and the fingerprint are of all.
[[nodiscard]] Dataset read_hdf5_share(const std::filesystem::path& path, std::int32_t shards,
                                      std::uint64_t seed, int rank, int ranks, DatasetRepairs& repairs);

/// `dataset` has to hold all users (one rank). `more` may add objects to the file, such as identifiers.
void write_hdf5_dataset(const std::filesystem::path& path, const Dataset& dataset,
                        const std::function<void(Hdf5Writer&)>& more = {});

}  // namespace genrec
