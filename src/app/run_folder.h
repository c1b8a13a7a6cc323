#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "comm/communicator.h"
#include "io/folder_lock.h"
#include "io/json_file.h"

namespace genrec {

/// One measurement, a line of metrics.jsonl.
struct Measurement {
  std::int64_t step = 0;
  double epoch = 0;
  int iteration = 0;
  std::string split;
  std::string name;
  double value = 0;
};

/// The folder of a run (contract: config.ini, environment.json, metrics.jsonl, summary.json, checkpoints/,
/// identifiers/, logs/). Only rank 0 writes; the members do nothing on other ranks.
class RunFolder {
 public:
  RunFolder(std::filesystem::path path, bool is_root);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  [[nodiscard]] std::filesystem::path logs() const { return path_ / "logs"; }
  [[nodiscard]] std::filesystem::path identifiers(int iteration) const;

  /// Makes the folders and keeps other programs out of them; throws InputOutputError, or UsageError when one
  /// is at work there.
  void create();
  void write_config(const std::string& ini);
  void write_environment(const Json& environment);
  void write_summary(const Json& summary);
  /// Forgets measurements of steps after `step` (a resumed run measures them again; -1: all), and lets the
  /// time go on from the last one that is kept. What stays of `step` itself is not written twice. A
  /// tokenizer's training comes before the first step: of it, what was measured after `tokenizer_epochs` is
  /// forgotten.
  void rewind_metrics(std::int64_t step, std::int64_t tokenizer_epochs);
  void measure(const Measurement& measurement);

 private:
  std::filesystem::path path_;
  bool is_root_;
  FolderLock lock_;
  std::ofstream metrics_;
  std::set<std::string> measured_;  ///< at the step that a resumed run stands at
  double started_;
};

/// Throws UsageError when siit or train is at home in the folder: its config.ini and summary.json would be
/// lost. Collective.
void require_no_training_run(const RunFolder& folder, Communicator& world);

}  // namespace genrec
