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
  std::string selected;  ///< "warm-up", "iteration 2", "epoch 7": the row that was tested
  int selected_iteration = 0;
  std::string identifiers_sha256;
  std::vector<IterationRecord> iterations;
  Metrics test, test_by_identifier;
  std::map<std::string, Metrics> baselines;        ///< "popularity" → test metrics
  std::map<std::string, Metrics> valid_baselines;  ///< the same on validation
  double train_samples_per_s = 0, decode_users_per_s = 0, regenerate_items_per_s = 0;
};

/// What summary.json of every command says first: dataset, ranks, device, seed and revision.
[[nodiscard]] Json run_facts(const std::string& command, const Session& session, const Workspace& workspace,
                             const Runtime& runtime);
/// Of every rank. Collective.
[[nodiscard]] Json peak_memory_of_ranks(Communicator& world);

/// A line of a table of figures.
struct MetricsRow {
  std::string name, split;
  Metrics metrics;
  std::string more;  ///< further columns
};
/// recall, ndcg and coverage at `ks`; `more`: heads of further columns.
[[nodiscard]] std::string metrics_table(const std::vector<MetricsRow>& rows, const std::vector<int>& ks,
                                        const std::string& more = "");

/// "warm-up" of iteration 0, else "iteration 2".
[[nodiscard]] std::string iteration_name(int iteration);
/// summary.json of the contract. Collective (peak memory of every rank).
[[nodiscard]] Json summary_json(const RunResults& results, Session& session, const Workspace& workspace,
                                const Runtime& runtime);
/// One row each: the baselines and every iteration on validation, the baselines and the selected one on test.
[[nodiscard]] std::string results_table(const RunResults& results, const std::vector<int>& ks);

}  // namespace genrec
