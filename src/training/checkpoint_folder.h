#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "comm/communicator.h"
#include "training/checkpoint.h"

namespace genrec {

/// A run's checkpoints/: files step-NNNNNNNN.h5 and the links `last`, `prev` (the one before it) and `best`.
/// A file is whole before a link points at it, and links move atomically, so a kill at any moment leaves a
/// state to go on from. Rank 0 alone touches the folder; members are collective where they say so.
class CheckpointFolder {
 public:
  /// `keep`: files kept beside the linked ones.
  CheckpointFolder(std::filesystem::path folder, std::int64_t keep, Communicator& world);

  /// Writes the root's state and moves `last` and `prev`; then removes old files. Other ranks' states are not
  /// looked at. Collective: returns when the file is there. Throws InputOutputError.
  void save(const CheckpointState& state);
  /// Points `best` at what `last` is. Collective.
  void mark_best();

  /// The newest state, on every rank; nothing when the folder has none. A damaged `last` is left where it is
  /// and `prev` taken, with a warning. Throws InputOutputError when both are damaged, DataError when the
  /// checkpoint is of another dataset. Collective.
  [[nodiscard]] std::optional<CheckpointState> load_last(const std::string& fingerprint,
                                                         const std::string& dataset);
  /// The state `best` (or another link or file name) points at, on every rank. Collective.
  [[nodiscard]] CheckpointState load(const std::string& name, CheckpointParts parts = CheckpointParts::kAll);

  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }

 private:
  [[nodiscard]] std::string target(const std::string& link) const;
  [[nodiscard]] CheckpointState read_last_or_prev();
  void write(const CheckpointState& state);
  void prune(const std::string& newest);

  std::filesystem::path folder_;
  std::int64_t keep_;
  Communicator& world_;
};

}  // namespace genrec
