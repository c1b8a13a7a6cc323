#include "data/load_dataset.h"

#include <algorithm>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "data/readers/hdf5_dataset.h"
#include "data/readers/letter_json.h"
#include "data/synthetic.h"
#include "data/whole_dataset.h"
#include "io/failure.h"

namespace genrec {
namespace {

constexpr std::string_view kHistories = ".inter.json";

/// NAME of every NAME.inter.json in the folder, sorted.
std::vector<std::string> names_in(const std::filesystem::path& dir) {
  namespace fs = std::filesystem;
  std::error_code failed;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(dir, failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::string file = entry->path().filename().string();
    if (file.ends_with(kHistories)) names.push_back(file.substr(0, file.size() - kHistories.size()));
  }
  if (failed) throw system_failure("read the folder", dir, failed.value());
  std::sort(names.begin(), names.end());
  return names;
}

/// data.name, or the one name for which the folder has histories.
std::string name_in(const DataOptions& options) {
  std::error_code failed;
  if (!std::filesystem::is_directory(options.dir, failed)) {
    const bool absent = !failed || failed == std::errc::no_such_file_or_directory;
    throw MissingInput("data.dir = " + options.dir + ": no such folder" +
                       (absent ? "" : " (" + failed.message() + ")") + "; name one that holds a dataset");
  }
  if (!options.name.empty()) return options.name;
  const std::vector<std::string> names = names_in(options.dir);
  if (names.size() == 1) return names.front();
  if (names.empty()) {
    throw MissingInput("data.dir = " + options.dir + ": expected a file NAME.inter.json in it, found none");
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  throw UsageError("data.dir = " + options.dir + " holds several datasets: choose one with data.name (" +
                   list + ")");
}

WholeDataset read_whole(const DataOptions& options, std::uint64_t seed, DatasetRepairs& repairs) {
  if (!options.file.empty()) return read_hdf5_dataset(options.file, options.max_users);
  if (!options.dir.empty())
    return read_letter_json(options.dir, name_in(options), options.needs_text, repairs);
  return make_synthetic(SyntheticOptions(), seed);
}

}  // namespace

Dataset load_dataset(const DataOptions& options, std::uint64_t seed, int rank, int ranks,
                     DatasetRepairs& repairs) {
  repairs = {};
  const bool limited = options.max_users > 0 || options.max_items > 0;
  if (!options.file.empty() && !limited && has_fingerprint(options.file)) {
    return read_hdf5_share(options.file, options.shards, seed, rank, ranks, repairs);
  }
  WholeDataset whole = read_whole(options, seed, repairs);
  if (whole.users() == 0 || whole.catalogue.size() == 0) {
    const std::string file =
        options.file.empty() ? options.dir + "/" + whole.name + std::string(kHistories) : options.file;
    throw DataError(file + ": no " + (whole.users() == 0 ? "user" : "item") +
                    " in it; expected at least one user with 4 items");
  }
  const std::int64_t all_items = whole.catalogue.size();
  limit(whole, options.max_users, options.max_items, repairs);
  count(whole, repairs);
  Dataset dataset = share_of_rank(std::move(whole), options.shards, seed, rank, ranks);
  dataset.items_before_limit = all_items;
  return dataset;
}

std::filesystem::path file_beside(const DataOptions& options, const std::string& ending) {
  std::filesystem::path path;
  if (!options.file.empty()) {
    path = std::filesystem::path(options.file).replace_extension(ending);
  } else if (!options.dir.empty()) {
    path = std::filesystem::path(options.dir) / (name_in(options) + ending);
  }
  std::error_code unreadable;
  return std::filesystem::exists(path, unreadable) ? path : std::filesystem::path();
}

std::filesystem::path index_file(const DataOptions& options) {
  std::error_code unreadable;
  const bool is_file = !options.file.empty() && std::filesystem::exists(options.file, unreadable);
  if (is_file && holds_identifiers(options.file)) return options.file;
  return file_beside(options, ".index.json");
}

}  // namespace genrec
