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

std::string row(const std::string& name, const std::string& split, const Metrics& metrics,
                const std::vector<std::string>& columns, const std::string& rest) {
  char head[64];
  std::snprintf(head, sizeof(head), "%-22s %-6s", name.c_str(), split.c_str());
  std::string line = head;
  for (const std::string& column : columns) {
    line += std::string(column.size() > 7 ? column.size() - 7 : 0, ' ') + cell(metrics, column) + " ";
  }
  return line + rest + "\n";
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

Json summary_json(const RunResults& results, Session& session, const Workspace& workspace,
                  const Runtime& runtime) {
  const std::int64_t peak = peak_memory_bytes();
  Json peaks = Json::array();
  for (const auto& bytes : session.mpi.world().all_gather(std::as_bytes(std::span(&peak, 1)))) {
    std::int64_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof(value));
    peaks.push_back(value);
  }
  Json iterations = Json::array();
  for (const auto& record : results.iterations) iterations.push_back(to_json(record));
  Json baselines = Json::object();
  for (const auto& [name, metrics] : results.baselines) baselines[name] = Json(metrics);
  const Dataset& dataset = workspace.dataset();
  return {{"command", results.command},
          {"dataset", dataset.name},
          {"users", dataset.users()},
          {"items", dataset.items()},
          {"interactions", dataset.interaction_count},
          {"ranks", session.mpi.size()},
          {"device", runtime.device.str()},
          {"precision", precision_name(runtime.precision)},
          {"seed", session.options.run.seed},
          {"git", git_revision()},
          {"identifiers_sha256", results.identifiers_sha256},
          {"selected_iteration", results.selected_iteration},
          {"iterations", iterations},
          {"test", Json(results.test)},
          {"test_by_identifier", Json(results.test_by_identifier)},
          {"baselines", baselines},
          {"throughput",
           {{"train_samples_per_s", results.train_samples_per_s},
            {"decode_users_per_s", results.decode_users_per_s},
            {"regenerate_items_per_s", results.regenerate_items_per_s}}},
          {"peak_memory_bytes", peaks}};
}

std::string results_table(const RunResults& results, const std::vector<int>& ks) {
  std::vector<std::string> columns;
  for (const char* metric : {"recall@", "ndcg@", "coverage@"}) {
    for (int k : ks) columns.push_back(metric + std::to_string(k));
  }
  std::string text = "\n                       split ";
  for (const std::string& column : columns)
    text += std::string(column.size() < 7 ? 7 - column.size() : 0, ' ') + column + " ";
  text += "  collide  final  changed   train  align  regen   eval (s)\n";
  for (const auto& [name, metrics] : results.valid_baselines)
    text += row(name, "valid", metrics, columns, "");
  for (const auto& r : results.iterations) {
    const std::string name = results.command == "siit" ? iteration_name(r.iteration) : results.selected;
    text += row(name, "valid", r.valid, columns, iteration_columns(r));
  }
  for (const auto& [name, metrics] : results.baselines) text += row(name, "test", metrics, columns, "");
  text += row("selected: " + results.selected, "test", results.test, columns, "");
  text += row("  by identifier", "test", results.test_by_identifier, columns, "");
  return text;
}

}  // namespace genrec
