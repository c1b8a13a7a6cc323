#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "io/host_array.h"

namespace genrec {

/// Reads every tensor of `model.safetensors`, or of the shards that `model.safetensors.index.json` names, in
/// `folder` (or of the one file, if `folder` is a file). Throws MissingInput or DataError.
[[nodiscard]] std::map<std::string, HostArray> read_safetensors(const std::filesystem::path& folder);
/// The files that it reads, the index before the shards; none where there are no weights. Throws DataError.
[[nodiscard]] std::vector<std::filesystem::path> safetensors_files(const std::filesystem::path& folder);

/// Writes `path` atomically, tensors in name order, with {"format": "pt"} as metadata.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, HostArray>& tensors);

}  // namespace genrec
