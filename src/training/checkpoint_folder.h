#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "comm/communicator.h"
#include "training/checkpoint.h"

namespace genrec {

/// A run's checkpoints/: files step-NNNNNNNN.h5 and the links `last`, `prev` (the one before it) and `best`.
/// A file is whole before a link points at it, and links move atomically, so a kill at any moment leaves a
/// state to go on from. A folder that was copied without its links, which are then files or not there, is put
/// in order before it is used. Rank 0 alone touches the folder; members are collective where they say so.
class CheckpointFolder {
 public:
  /// `keep`: files kept beside the linked ones.
  CheckpointFolder(std::filesystem::path folder, std::int64_t keep, Communicator& world);

  /// Writes the root's state and moves `last` and `prev`; then removes old files. Other ranks' states are not
  /// looked at. Collective: returns when the file is there. Throws InputOutputError.
  void save(const CheckpointState& state);
  /// Points `best` at what `last` is. Collective.
  void mark_best();

  /// Whether there is a checkpoint, sound or not. Collective.
  [[nodiscard]] bool holds_run();
  /// The newest state, on every rank; nothing when the folder has none. A damaged `last` is kept and `prev`
  /// taken, with a warning; without links, the newest sound file. Throws InputOutputError when all that may
  /// be taken is damaged, DataError when the checkpoint is of another dataset. Collective.
  [[nodiscard]] std::optional<CheckpointState> load_last(const std::string& fingerprint,
                                                         const std::string& dataset);
  /// The state `best` (or another link or file name) points at, on every rank. Collective.
  [[nodiscard]] CheckpointState load(const std::string& name, CheckpointParts parts = CheckpointParts::kAll);

  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }

 private:
  [[nodiscard]] std::string target(const std::string& link) const;
  [[nodiscard]] bool is_copy(const std::string& link) const;
  void adopt_copies();
  void adopt_copy(const std::string& link);
  void point(const std::string& link, const std::string& name);
  [[nodiscard]] CheckpointState read_newest();
  [[nodiscard]] CheckpointState read_last_or_prev();
  [[nodiscard]] CheckpointState read_without_links();
  void write(const CheckpointState& state);
  void prune(const std::string& newest);

  std::filesystem::path folder_;
  std::int64_t keep_;
  Communicator& world_;
  std::set<std::string> spared_;  ///< files that a lost link may have pointed at: never removed
};

}  // namespace genrec
