#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "data/dataset.h"
#include "data/repairs.h"

namespace genrec {

struct DataOptions {
  std::string dir;             ///< folder of NAME.inter.json, NAME.item.json
  std::string name;            ///< NAME; "": the only one in `dir`
  std::string file;            ///< the program's own HDF5 dataset; wins over `dir`
  std::int32_t history = 10;   ///< items before the target that the model sees
  std::string text = "title";  ///< title | title+description (item_texts)
  std::int64_t max_users = 0;  ///< keep the first users only; 0: all
  std::int64_t max_items = 0;  ///< keep the first items only; 0: all
  std::int32_t shards = 64;    ///< virtual shards (VirtualShards)
  bool needs_text = true;      ///< false: a missing NAME.item.json is stated, not an error
};

/// Reads and checks the dataset that the options name (none: the synthetic one of this seed) and
/// keeps this rank's users. Not collective; repairs and fingerprint come out equal on every rank. Throws
/// UsageError, MissingInput, or DataError naming file and line (JSON) or dataset (HDF5).
[[nodiscard]] Dataset load_dataset(const DataOptions& options, std::uint64_t seed, int rank, int ranks,
                                   DatasetRepairs& repairs);

/// NAME + `ending` (".cf.h5") beside the data that the options name; "" when there is no such file.
[[nodiscard]] std::filesystem::path file_beside(const DataOptions& options, const std::string& ending);

/// Where the identifiers of the dataset that the options name are: the HDF5 dataset itself when it holds
/// them, else its NAME.index.json; "" when there are none.
[[nodiscard]] std::filesystem::path index_file(const DataOptions& options);

}  // namespace genrec
