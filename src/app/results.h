#pragma once
#include <map>
#include <string>
#include <vector>

#include "app/runtime.h"
#include "app/workspace.h"
#include "io/json_file.h"
#include "siit/siit_state.h"

namespace genrec {

/// The figures of a finished run, as summary.json and the printed table show them.
struct RunResults {
  std::string command;
  int selected_iteration = 0;
  std::string identifiers_sha256;
  std::vector<IterationRecord> iterations;
  Metrics test, test_by_identifier;
  std::map<std::string, Metrics> baselines;  ///< "popularity" → test metrics
  double train_samples_per_s = 0, decode_users_per_s = 0, regenerate_items_per_s = 0;
};

/// summary.json of the contract. Collective (peak memory of every rank).
[[nodiscard]] Json summary_json(const RunResults& results, Session& session, const Workspace& workspace,
                                const Runtime& runtime);
/// One row each: baselines, every iteration on validation, the selected one on test.
[[nodiscard]] std::string results_table(const RunResults& results, const std::vector<int>& ks);

}  // namespace genrec
