#include "app/results.h"

#include <cstdio>
#include <cstring>

#include "app/version.h"
#include "nn/memory.h"
#include "nn/precision.h"

namespace genrec {
namespace {

std::string cell(const Metrics& metrics, const std::string& name) {
  const auto found = metrics.find(name);
  if (found == metrics.end()) return "      -";
  char text[32];
  std::snprintf(text, sizeof(text), " %6.4f", found->second);
  return text;
}

std::string line_of(const MetricsRow& row, const std::vector<std::string>& columns) {
  char head[64];
  std::snprintf(head, sizeof(head), "%-22s %-6s", row.name.c_str(), row.split.c_str());
  std::string line = head;
  for (const std::string& column : columns) {
    line += std::string(column.size() > 7 ? column.size() - 7 : 0, ' ') + cell(row.metrics, column) + " ";
  }
  return line + row.more + "\n";
}

std::string iteration_columns(const IterationRecord& r) {
  char text[160];
  std::snprintf(text, sizeof(text), "  %6.2f%% %6.2f%% %6.2f%%  %6.1f %6.1f %6.1f %6.1f",
                100 * r.collision_rate, 100 * r.collision_rate_final, 100 * r.adjustment_ratio,
                r.seconds.train, r.seconds.align, r.seconds.regenerate + r.seconds.assign,
                r.seconds.evaluate);
  return text;
}

}  // namespace

std::string iteration_name(int iteration) {
  return iteration == 0 ? "warm-up" : "iteration " + std::to_string(iteration);
}

Json run_facts(const std::string& command, const Session& session, const Workspace& workspace,
               const Runtime& runtime) {
  const Dataset& dataset = workspace.dataset();
  return {{"command", command},
          {"dataset", dataset.name},
          {"users", dataset.users()},
          {"items", dataset.items()},
          {"interactions", dataset.interaction_count},
          {"ranks", session.mpi.size()},
          {"device", runtime.device.str()},
          {"precision", precision_name(runtime.precision)},
          {"seed", session.options.run.seed},
          {"git", git_revision()}};
}

Json peak_memory_of_ranks(Communicator& world) {
  const std::int64_t peak = peak_memory_bytes();
  Json peaks = Json::array();
  for (const auto& bytes : world.all_gather(std::as_bytes(std::span(&peak, 1)))) {
    std::int64_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof(value));
    peaks.push_back(value);
  }
  return peaks;
}

Json summary_json(const RunResults& results, Session& session, const Workspace& workspace,
                  const Runtime& runtime) {
  Json iterations = Json::array();
  for (const auto& record : results.iterations) iterations.push_back(to_json(record));
  Json baselines = Json::object();
  for (const auto& [name, metrics] : results.baselines) baselines[name] = Json(metrics);
  Json summary = run_facts(results.command, session, workspace, runtime);
  summary["identifiers_sha256"] = results.identifiers_sha256;
  summary["selected_iteration"] = results.selected_iteration;
  summary["iterations"] = iterations;
  summary["test"] = Json(results.test);
  summary["test_by_identifier"] = Json(results.test_by_identifier);
  summary["baselines"] = baselines;
  summary["throughput"] = {{"train_samples_per_s", results.train_samples_per_s},
                           {"decode_users_per_s", results.decode_users_per_s},
                           {"regenerate_items_per_s", results.regenerate_items_per_s}};
  summary["peak_memory_bytes"] = peak_memory_of_ranks(session.mpi.world());
  return summary;
}

std::string metrics_table(const std::vector<MetricsRow>& rows, const std::vector<int>& ks,
                          const std::string& more) {
  std::vector<std::string> columns;
  for (const char* metric : {"recall@", "ndcg@", "coverage@"}) {
    for (int k : ks) columns.push_back(metric + std::to_string(k));
  }
  std::string text = "\n                       split ";
  for (const std::string& column : columns)
    text += std::string(column.size() < 7 ? 7 - column.size() : 0, ' ') + column + " ";
  text += more + "\n";
  for (const MetricsRow& row : rows) text += line_of(row, columns);
  return text;
}

std::string results_table(const RunResults& results, const std::vector<int>& ks) {
  std::vector<MetricsRow> rows;
  for (const auto& [name, metrics] : results.valid_baselines) rows.push_back({name, "valid", metrics, ""});
  for (const auto& r : results.iterations) {
    const std::string name = results.command == "siit" ? iteration_name(r.iteration) : results.selected;
    rows.push_back({name, "valid", r.valid, iteration_columns(r)});
  }
  for (const auto& [name, metrics] : results.baselines) rows.push_back({name, "test", metrics, ""});
  rows.push_back({"selected: " + results.selected, "test", results.test, ""});
  rows.push_back({"  by identifier", "test", results.test_by_identifier, ""});
  return metrics_table(rows, ks, "  collide  final  changed   train  align  regen   eval (s)");
}

}  // namespace genrec
