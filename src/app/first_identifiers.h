#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/session.h"
#include "app/tokenizer_report.h"
#include "app/workspace.h"
#include "base/progress.h"
#include "io/host_array.h"
#include "tokenizers/identifier_table.h"

namespace genrec {

/// What surrounds the making of identifiers, which may take long. Functions may be empty.
struct IdentifierRun {
  Progress& progress;
  std::function<bool()> should_stop;     ///< this rank's wish
  std::function<bool()> checkpoint_due;  ///< rank 0's answer counts
  std::filesystem::path state;           ///< where a tokenizer in training is kept (tokenizer_file.h)
  /// Once all that was given is known to fit together: before a tokenizer is trained, with the epochs that an
  /// earlier call has done; where none is trained, when the table is there.
  std::function<void(std::int64_t epochs)> on_start = {};
  /// At each measurement, on every rank.
  std::function<void(const RqvaeEpoch& last, const RqvaeMeasurement&)> on_measurement = {};
};

/// A table with what its tokenizer left; the latter for tiger and letter only.
struct FirstIdentifiers {
  IdentifierTable table;
  HostArray codebooks;  ///< [levels, codes, dim]; no shape: there are none
  std::optional<TokenizerTraining> training;
};

/// Section tokenizer with what other sections add to it; an index beside the data is that which this rank
/// sees.
[[nodiscard]] TokenizerOptions tokenizer_options(const ProgramOptions& options);
/// The same with the index that the root sees. Collective.
[[nodiscard]] TokenizerOptions tokenizer_options(const ProgramOptions& options, Communicator& world);

/// A file that identifiers are made from.
struct IdentifierInput {
  std::string key;             ///< its option
  std::string name;            ///< in environment.json
  std::filesystem::path file;  ///< given or found beside the data; "": the method reads none
};
/// Those of tokenizer.method, as this rank sees them.
[[nodiscard]] std::vector<IdentifierInput> identifier_inputs(const ProgramOptions& options);

/// Makes the first identifiers by tokenizer.method, and says in the log what they are like. A tokenizer that
/// an earlier call began to train goes on. Throws StoppedEarly, its state saved, when a rank wishes to stop,
/// UsageError where run.state is a tokenizer's and the method trains none. Collective.
[[nodiscard]] FirstIdentifiers make_first_identifiers(Session& session, const Workspace& workspace,
                                                      const Runtime& runtime, const IdentifierRun& run);

/// Identifiers of the size that the first ones will have, without training: for estimates. What training
/// would read is read and checked. Collective.
[[nodiscard]] IdentifierTable stand_in_identifiers(Session& session, const Workspace& workspace);

}  // namespace genrec
