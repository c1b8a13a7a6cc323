#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "app/options.h"
#include "cf/training_state.h"
#include "comm/communicator.h"
#include "config/option_parser.h"
#include "data/dataset.h"
#include "io/hdf5.h"
#include "io/host_array.h"

namespace genrec {

/// The place of a collaborative model's training in the checkpoints/ of a run folder.
inline constexpr const char* kCfStateFile = "collaborative.h5";

/// The state of a collaborative model's training in a file, so that the same embed command goes on with it.
/// In HDF5: /model/NAME (parameters of the best validation, else the last; LightGCN's are user_embedding and
/// item_embedding, row = id), /training/{values,exp_avg,exp_avg_sq}/NAME, counters as attributes of
/// /training, /config, and root attributes name and fingerprint of the dataset and git. The table of users is
/// that of all ranks, so another number of ranks may go on. Rank 0 alone touches the file, which is whole or
/// not there. Keeps references.
class CfStateFile {
 public:
  CfStateFile(std::filesystem::path path, const ProgramOptions& options, const OptionParser& parser,
              const Dataset& dataset, Communicator& world);

  /// Looks whether an earlier call left a state. Throws UsageError (run.resume = never, but there is one;
  /// options that it was trained with differ), MissingInput (must, but there is none), DataError (it is of
  /// another dataset). Collective.
  void find();
  /// How far that state has come; nothing where there is none.
  [[nodiscard]] const std::optional<CfTrainProgress>& found() const { return found_; }

  /// Says that this store has a row for each user of the rank; others are the same on all ranks.
  void divide_by_users(const ParameterStore& store) { by_user_ = &store; }
  /// Throws InputOutputError. Collective.
  void save(const CfTrainState& state) const;
  /// Fills in the state that was found; false when there was none. Throws InputOutputError and DataError.
  /// Collective.
  [[nodiscard]] bool restore(CfTrainState& state) const;

 private:
  [[nodiscard]] CfTrainProgress checked(const Hdf5Reader& file) const;
  [[nodiscard]] std::string name_of(const ParameterStore& store, const std::string& entry) const;
  [[nodiscard]] HostArray whole(const ParameterStore& store, const HostArray& mine) const;
  [[nodiscard]] HostArray own_rows(const ParameterStore& store, HostArray whole) const;
  void write(Hdf5Writer* file, const std::string& group, const at::Tensor& flat,
             const ParameterStore& store) const;
  void read(const Hdf5Reader* file, const std::string& group, const ParameterStore& store,
            at::Tensor flat) const;

  std::filesystem::path path_;
  const ProgramOptions& options_;
  const OptionParser& parser_;
  const Dataset& dataset_;
  Communicator& world_;
  const ParameterStore* by_user_ = nullptr;
  std::optional<CfTrainProgress> found_;
};

/// Whether a training of embed.model that stands at `progress` may go on although option `key` differs from
/// the one it was begun with: it must end like one that had the new value from the start.
[[nodiscard]] bool cf_may_change(const std::string& key, const CfTrainProgress& progress,
                                 const ProgramOptions& options);

/// For what would replace the summary and the measurements of embed: throws UsageError where `path` is a
/// state that it left. Collective.
void require_no_cf_state(const std::filesystem::path& path, Communicator& world);

}  // namespace genrec
