#include "training/checkpoint_folder.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "io/files.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLast = "last";
constexpr const char* kPrev = "prev";
constexpr const char* kBest = "best";
constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kSuffix = ".h5";
constexpr std::string_view kPartial = ".partial";

std::string file_name(std::int64_t step) {
  char name[40];
  std::snprintf(name, sizeof(name), "step-%08lld.h5", static_cast<long long>(step));
  return name;
}

[[nodiscard]] bool is_checkpoint_name(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return false;
  const std::string_view digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  return !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
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
  // Two states of one step share a name, the later replaces the earlier; but `best` keeps its content.
  std::int64_t number = state.step;
  while (file_name(number) == target(kBest)) ++number;
  const std::string name = file_name(number);
  write_checkpoint(folder_ / name, state);
  const std::string old = target(kLast);
  if (!old.empty() && old != name) replace_link(folder_ / kPrev, old);
  if (old != name) replace_link(folder_ / kLast, name);
  prune(name);
}

void CheckpointFolder::mark_best() {
  if (world_.is_root()) {
    const std::string name = target(kLast);
    if (name.empty()) throw Error(ExitCode::kInternal, "best checkpoint: nothing was saved yet");
    replace_link(folder_ / kBest, name);
    sync_path(folder_);
  }
  world_.barrier();
}

std::string CheckpointFolder::target(const std::string& link) const {
  std::error_code error;
  const fs::path pointed = fs::read_symlink(folder_ / link, error);
  return error ? std::string() : pointed.string();
}

void CheckpointFolder::prune(const std::string& newest) {
  const std::set<std::string> linked = {target(kLast), target(kPrev), target(kBest)};
  std::vector<std::string> loose;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    const bool leftover = name.ends_with(kPartial) &&
                          is_checkpoint_name(std::string_view(name).substr(0, name.size() - kPartial.size()));
    if (leftover) fs::remove(entry.path(), ignored);  // of a process that was killed while it wrote
    if (is_checkpoint_name(name) && !linked.contains(name)) loose.push_back(name);
  }
  // Newest first; files of later steps than the newest one belong to a past that was given up (a resume from
  // an older state) and go first.
  std::sort(loose.begin(), loose.end(), [&](const std::string& a, const std::string& b) {
    if ((a < newest) != (b < newest)) return a < newest;
    return a > b;
  });
  for (std::size_t i = static_cast<std::size_t>(keep_); i < loose.size(); ++i) {
    std::error_code error;
    fs::remove(folder_ / loose[i], error);
    if (error)
      LOG(WARNING) << "cannot remove the old checkpoint " << folder_ / loose[i] << ": " << error.message();
  }
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
    throw InputOutputError(fault + "; there is no older checkpoint: begin anew with --run.resume never");
  }
  try {
    CheckpointState state = read_checkpoint(folder_ / previous);
    LOG(WARNING) << fault << ". Going on from prev, the checkpoint before it, " << previous << " (step "
                 << state.step << ")";
    // From now on the sound file is the last one: the next save must not make the damaged one `prev`.
    replace_link(folder_ / kLast, previous);
    return state;
  } catch (const Error& error) {
    throw InputOutputError(fault + "; and the one before it: " + error.what() +
                           "; copy a sound checkpoint back, or begin anew with --run.resume never");
  }
}

std::optional<CheckpointState> CheckpointFolder::load_last(const std::string& fingerprint,
                                                           const std::string& dataset) {
  std::int64_t found = 0;
  std::optional<CheckpointState> state;
  if (world_.is_root() && !(target(kLast).empty() && target(kPrev).empty())) {
    state = read_last_or_prev();
    require_dataset(*state, fingerprint, dataset, folder_ / target(kLast));
    found = 1;
  }
  if (world_.max(found) == 0) return std::nullopt;
  if (!state) state.emplace();
  broadcast_checkpoint(*state, world_);
  return state;
}

CheckpointState CheckpointFolder::load(const std::string& name, CheckpointParts parts) {
  CheckpointState state;
  if (world_.is_root()) state = read_checkpoint(folder_ / name, parts);
  broadcast_checkpoint(state, world_);
  return state;
}

}  // namespace genrec
