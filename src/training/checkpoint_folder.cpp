#include "training/checkpoint_folder.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "io/failure.h"
#include "io/files.h"
#include "io/hdf5.h"
#include "io/sha256.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLast = "last";
constexpr const char* kPrev = "prev";
constexpr const char* kBest = "best";
constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kSuffix = ".h5";
constexpr std::string_view kPartial = ".partial";
constexpr const char* kDamaged = ".damaged";

std::string file_name(std::int64_t step) {
  char name[40];
  std::snprintf(name, sizeof(name), "step-%08lld.h5", static_cast<long long>(step));
  return name;
}

/// The number in a checkpoint's file name; -1 for other names.
std::int64_t number_of(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return -1;
  const std::string_view digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = failure == std::errc() && end == digits.data() + digits.size();
  return whole && digits.front() != '-' ? number : -1;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Names of the files in a folder, which may not be there.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

/// Names of the checkpoints in a folder, newest first.
std::vector<std::string> checkpoints_in(const fs::path& folder) {
  std::vector<std::string> names = names_in(folder);
  std::erase_if(names, [](const std::string& name) { return number_of(name) < 0; });
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return number_of(a) > number_of(b); });
  return names;
}

bool same_content(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::file_size(a, ignored) == fs::file_size(b, ignored) && sha256_file(a) == sha256_file(b);
}

}  // namespace

CheckpointFolder::CheckpointFolder(fs::path folder, std::int64_t keep, Communicator& world)
    : folder_(std::move(folder)), keep_(keep), world_(world) {}

void CheckpointFolder::save(const CheckpointState& state) {
  if (world_.is_root()) write(state);
  world_.barrier();
}

void CheckpointFolder::write(const CheckpointState& state) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) {
    throw InputOutputError("cannot make the folder " + folder_.string() + ": " + error.message() +
                           "; give another run.dir");
  }
  adopt_copies();
  // Two states of one step share a name, the later replaces the earlier; but `best` keeps its content.
  std::int64_t number = state.step;
  while (file_name(number) == target(kBest)) ++number;
  const std::string name = file_name(number);
  write_checkpoint(folder_ / name, state);
  const std::string old = target(kLast);
  if (!old.empty() && old != name && old != kLast) point(kPrev, old);
  if (old != name) point(kLast, name);
  prune(name);
}

void CheckpointFolder::mark_best() {
  if (world_.is_root()) {
    adopt_copies();
    const std::string name = target(kLast);
    if (name.empty() || name == kLast) {
      throw Error(ExitCode::kInternal, "best checkpoint: nothing was saved yet");
    }
    point(kBest, name);
    sync_path(folder_);
  }
  world_.barrier();
}

/// The file that a link stands for; the link's own name when it is a file itself; "" when it is not there.
std::string CheckpointFolder::target(const std::string& link) const {
  if (is_copy(link)) return link;
  std::error_code error;
  const fs::path pointed = fs::read_symlink(folder_ / link, error);
  return error ? std::string() : pointed.string();
}

/// Whether a file is in the place of a link: `cp -L`, scp and others copy what links point at.
bool CheckpointFolder::is_copy(const std::string& link) const {
  std::error_code error;
  return fs::is_regular_file(fs::symlink_status(folder_ / link, error));
}

void CheckpointFolder::adopt_copies() {
  for (const char* link : {kLast, kPrev, kBest}) {
    if (is_copy(link)) adopt_copy(link);
  }
}

/// Makes a link of a file in its place; the file gets the name of its step.
void CheckpointFolder::adopt_copy(const std::string& link) {
  const fs::path copy = folder_ / link;
  std::int64_t number = 0;
  try {
    number = Hdf5Reader(copy).integer_attribute("/progress", "step");
  } catch (const Error&) {
    return;  // damaged: reading it says so
  }
  const auto is_taken = [&](const fs::path& file) { return is_there(file) && !same_content(copy, file); };
  while (is_taken(folder_ / file_name(number))) ++number;  // another state may be of the same step
  const std::string name = file_name(number);
  std::error_code failed;
  if (!is_there(folder_ / name)) {
    // A second name first, so that a kill leaves one of them in any case; some file systems have none.
    fs::create_hard_link(copy, folder_ / name, failed);
    if (failed) fs::rename(copy, folder_ / name, failed);
    if (failed) throw system_failure("rename", copy, failed.value());
  }
  replace_link(copy, name);
  LOG(INFO) << copy.string() << " was a file, as copying makes of a link: its content is now " << name;
}

/// Moves a link. A file in its place, a damaged copy of a checkpoint, is kept under another name.
void CheckpointFolder::point(const std::string& link, const std::string& name) {
  if (is_copy(link)) {
    std::error_code failed;
    fs::rename(folder_ / link, folder_ / (link + kDamaged), failed);
    if (failed) throw system_failure("rename", folder_ / link, failed.value());
  }
  replace_link(folder_ / link, name);
}

void CheckpointFolder::prune(const std::string& newest) {
  for (const std::string& name : names_in(folder_)) {
    std::error_code ignored;
    const bool leftover = name.ends_with(kPartial) &&
                          number_of(std::string_view(name).substr(0, name.size() - kPartial.size())) >= 0;
    if (leftover) fs::remove(folder_ / name, ignored);  // of a process that was killed while it wrote
  }
  const std::set<std::string> linked = {target(kLast), target(kPrev), target(kBest)};
  std::vector<std::string> loose = checkpoints_in(folder_);
  std::erase_if(loose,
                [&](const std::string& name) { return linked.contains(name) || spared_.contains(name); });
  // Newest first; files of later steps than the newest one belong to a past that was given up (a resume from
  // an older state) and go first.
  std::stable_partition(loose.begin(), loose.end(),
                        [&](const std::string& name) { return number_of(name) < number_of(newest); });
  for (std::size_t i = static_cast<std::size_t>(keep_); i < loose.size(); ++i) {
    std::error_code error;
    fs::remove(folder_ / loose[i], error);
    if (error)
      LOG(WARNING) << "cannot remove the old checkpoint " << folder_ / loose[i] << ": " << error.message();
  }
}

CheckpointState CheckpointFolder::read_newest() {
  adopt_copies();
  // A copy that was not adopted is damaged: which checkpoint it was is not known.
  const auto leads = [this](const char* link) { return !is_copy(link) && is_there(folder_ / link); };
  const bool linked = leads(kLast) || (leads(kPrev) && !is_copy(kLast));
  return linked || checkpoints_in(folder_).empty() ? read_last_or_prev() : read_without_links();
}

/// For a folder that was copied without its links, or whose writer was killed before it made the first one.
CheckpointState CheckpointFolder::read_without_links() {
  const std::vector<std::string> names = checkpoints_in(folder_);
  std::string faults;
  for (const std::string& name : names) {
    std::optional<CheckpointState> state;
    try {
      state = read_checkpoint(folder_ / name);
    } catch (const Error& error) {
      faults += std::string(error.what()) + "; ";
      continue;
    }
    LOG(WARNING) << faults << folder_.string() << " has lost its link last. Going on from the newest sound "
                 << "checkpoint, " << name << " (step " << state->step << ")"
                 << (target(kBest).empty() ? "; if there was a link best, make it again by hand" : "");
    spared_.insert(names.begin(), names.end());
    point(kLast, name);
    return std::move(*state);
  }
  throw InputOutputError(
      faults + folder_.string() + " has lost its link last, and none of its " + std::to_string(names.size()) +
      " checkpoints is sound: copy a sound one back, or begin anew with another --run.dir");
}

CheckpointState CheckpointFolder::read_last_or_prev() {
  std::string fault;
  try {
    const std::string name = target(kLast);
    return read_checkpoint(folder_ / (name.empty() ? kLast : name));
  } catch (const Error& error) {
    fault = error.what();
  }
  const std::string previous = target(kPrev);
  if (previous.empty() || previous == target(kLast)) {
    throw InputOutputError(fault + "; there is no older checkpoint: begin anew with another --run.dir");
  }
  try {
    CheckpointState state = read_checkpoint(folder_ / previous);
    LOG(WARNING) << fault << ". Going on from prev, the checkpoint before it, " << previous << " (step "
                 << state.step << ")";
    // From now on the sound file is the last one: the next save must not make the damaged one `prev`.
    point(kLast, previous);
    return state;
  } catch (const Error& error) {
    throw InputOutputError(fault + "; and the one before it: " + error.what() +
                           "; copy a sound checkpoint back, or begin anew with another --run.dir");
  }
}

bool CheckpointFolder::holds_run() {
  const auto found = [this] {
    return !target(kLast).empty() || !target(kPrev).empty() || !checkpoints_in(folder_).empty();
  };
  return world_.any(world_.is_root() && found());
}

std::optional<CheckpointState> CheckpointFolder::load_last(const std::string& fingerprint,
                                                           const std::string& dataset) {
  if (!holds_run()) return std::nullopt;
  CheckpointState state;
  if (world_.is_root()) {
    state = read_newest();
    require_dataset(state, fingerprint, dataset, folder_ / target(kLast));
  }
  broadcast_checkpoint(state, world_);
  return state;
}

CheckpointState CheckpointFolder::load(const std::string& name, CheckpointParts parts) {
  CheckpointState state;
  if (world_.is_root()) state = read_checkpoint(folder_ / name, parts);
  broadcast_checkpoint(state, world_);
  return state;
}

}  // namespace genrec
