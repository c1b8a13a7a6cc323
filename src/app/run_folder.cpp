#include "app/run_folder.h"

#include <chrono>
#include <cmath>

#include "base/error.h"
#include "io/files.h"
#include "training/checkpoint_folder.h"

namespace genrec {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// What is measured, and when; a resumed run finds the same value.
std::string place_of(const Json& line) {
  return Json{line.value("step", Json()), line.value("iteration", Json()), line.value("split", Json()),
              line.value("name", Json())}
      .dump();
}

}  // namespace

RunFolder::RunFolder(std::filesystem::path path, bool is_root)
    : path_(std::move(path)), is_root_(is_root), started_(now_seconds()) {}

std::filesystem::path RunFolder::identifiers(int iteration) const {
  return path_ / "identifiers" / ("iteration-" + std::to_string(iteration) + ".index.json");
}

void RunFolder::create() {
  if (!is_root_) return;
  for (const auto& folder : {checkpoints(), logs(), path_ / "identifiers"}) {
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) {
      throw InputOutputError("cannot make the folder " + folder.string() + " (" + failed.message() +
                             "): give another --run.dir");
    }
  }
  lock_ = FolderLock(path_);
}

void RunFolder::write_config(const std::string& ini) {
  if (is_root_) write_file_atomically(path_ / "config.ini", ini);
}

void RunFolder::write_environment(const Json& environment) {
  if (is_root_) write_json(path_ / "environment.json", environment);
}

void RunFolder::write_summary(const Json& summary) {
  if (is_root_) write_json(path_ / "summary.json", summary);
}

void RunFolder::rewind_metrics(std::int64_t step, std::int64_t tokenizer_epochs) {
  const auto file = path_ / "metrics.jsonl";
  if (!is_root_ || !std::filesystem::exists(file)) return;
  std::ifstream in(file);
  std::string kept;
  double seconds = 0;
  for (std::string line; std::getline(in, line);) {
    const auto entry = Json::parse(line, nullptr, false);
    if (!entry.is_object()) continue;
    const auto at = entry.value("step", std::int64_t{0});
    const bool of_tokenizer = entry.value("split", std::string()) == "tokenizer";
    if (of_tokenizer ? entry.value("epoch", 0.0) > static_cast<double>(tokenizer_epochs) : at > step)
      continue;
    kept += line + "\n";
    if (!of_tokenizer && at == step) measured_.insert(place_of(entry));
    seconds = entry.value("seconds", seconds);
  }
  write_file_atomically(file, kept);
  started_ = now_seconds() - seconds;
}

void RunFolder::measure(const Measurement& m) {
  if (!is_root_) return;
  if (!metrics_.is_open()) metrics_.open(path_ / "metrics.jsonl", std::ios::app);
  const Json value = std::isfinite(m.value) ? Json(m.value) : Json(nullptr);
  const Json line = {
      {"step", m.step}, {"epoch", m.epoch}, {"iteration", m.iteration},           {"split", m.split},
      {"name", m.name}, {"value", value},   {"seconds", now_seconds() - started_}};
  if (!measured_.empty() && measured_.contains(place_of(line))) return;
  metrics_ << line.dump() << '\n' << std::flush;
  if (!metrics_)
    throw InputOutputError("cannot write " + (path_ / "metrics.jsonl").string() + ": is the disk full?");
}

void require_no_training_run(const RunFolder& folder, Communicator& world) {
  if (!CheckpointFolder(folder.checkpoints(), 0, world).holds_run()) return;
  throw UsageError("run.dir = " + folder.path().string() + " holds a run: give another --run.dir");
}

}  // namespace genrec
