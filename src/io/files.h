#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace genrec {

/// The whole file; throws MissingInput or InputOutputError.
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path);
/// Writes to a temporary name, syncs, renames; throws InputOutputError (disk full, no permission).
void write_file_atomically(const std::filesystem::path& path, std::string_view content);
/// Points the symbolic link `link` at `target` (a name in the same folder), atomically.
void replace_link(const std::filesystem::path& link, const std::string& target);
/// fsync of a file or folder.
void sync_path(const std::filesystem::path& path);

}  // namespace genrec
