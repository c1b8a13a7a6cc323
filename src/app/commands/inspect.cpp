// inspect: what a run folder, checkpoint, identifier table or dataset holds, and the papers' figures of its
// identifiers; --verify tests checksums; --diff compares two.
#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/cf_state_file.h"
#include "app/item_vectors.h"
#include "app/run_folder.h"
#include "app/session.h"
#include "app/tokenizer_file.h"
#include "app/tokenizer_report.h"
#include "base/error.h"
#include "comm/on_root.h"
#include "data/item_text.h"
#include "data/load_dataset.h"
#include "data/readers/hdf5_dataset.h"
#include "eval/table_diagnostics.h"
#include "io/hdf5.h"
#include "io/host_array.h"
#include "io/json_file.h"
#include "tokenizers/identifier_hdf5.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/rqvae/rqvae_state.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTokenizer = "/tokenizer";

bool is_json(const fs::path& path) {
  return path.extension() == ".json";
}

/// Of an index.json (its keys must be 0 .. n-1), a checkpoint or a dataset.
IdentifierTable read_table(const fs::path& path) {
  if (is_json(path)) return read_index_json(path, static_cast<std::int64_t>(read_json(path).size()));
  const Hdf5Reader file(path);
  if (!file.has("/items/identifiers")) {
    throw DataError(path.string() + ": no /items/identifiers in it; give a checkpoint or an index.json");
  }
  return read_identifiers(file, kIdentifierGroup);
}

void print_line(const std::string& name, const std::string& value) {
  std::cout << std::left << std::setw(21) << name << value << "\n";
}

/// The best validation that siit or train has seen so far, from the state of their loop.
std::string best_score(const std::string& loop) {
  const Json state = Json::parse(loop, nullptr, false);
  if (!state.is_object() || state.value("best_score", -1.0) < 0) return "none yet";
  std::string text = Json(state.at("best_score")).dump();
  for (const char* place : {"iteration", "epoch"}) {
    const std::string key = std::string("best_") + place;
    if (state.contains(key)) text += std::string(" at ") + place + " " + state.at(key).dump();
  }
  return text;
}

void print_progress(const Hdf5Reader& file) {
  print_line("dataset", file.read_text("/progress/dataset"));
  print_line("stage", file.read_text("/progress/stage"));
  for (const char* name : {"iteration", "step"}) {
    print_line(name, std::to_string(file.integer_attribute("/progress", name)));
  }
  print_line("best score", best_score(file.read_text("/progress/loop")));
}

std::string attribute_text(const Hdf5Reader& file, const std::string& name) {
  try {
    return file.text_attribute("/", name);
  } catch (const DataError&) {
    return std::to_string(file.integer_attribute("/", name));
  }
}

void print_attributes(const Hdf5Reader& file) {
  for (const char* name : {"schema_version", "writer", "git", "name", "fingerprint"}) {
    if (file.has_attribute("/", name)) print_line(name, attribute_text(file, name));
  }
}

void print_datasets(const Hdf5Reader& file) {
  for (const std::string& dataset : file.datasets())
    std::cout << "  " << dataset << " " << text_of_shape(file.shape(dataset)) << "\n";
}

void print_checksums(const Hdf5Checksums& checksums) {
  for (const auto& fault : checksums.faults) std::cout << fault << "\n";
  if (!checksums.faults.empty() || checksums.checked == 0) return;
  if (checksums.unchecked > 0) std::cout << checksums.unchecked << " datasets have no checksum\n";
  std::cout << "all " << checksums.checked << " datasets agree with their checksums\n";
}

void require_sound(const Hdf5Reader& file, const Hdf5Checksums& checksums) {
  if (!checksums.faults.empty()) {
    throw InputOutputError(file.path().string() + ": " + std::to_string(checksums.faults.size()) +
                           " datasets are damaged or lack their checksum; restore the file, or " +
                           (file.has("/progress") ? "resume from checkpoints/prev" : "make it again"));
  }
  if (checksums.checked == 0) {
    throw DataError(file.path().string() + ": none of its " + std::to_string(checksums.unchecked) +
                    " datasets has a checksum, so nothing can be verified; make the file with this program");
  }
}

/// Prints a part of a file. Of a damaged file, whose faults were told, what cannot be read is left out.
template <typename Part>
void show(const Hdf5Checksums& checksums, Part part) {
  try {
    part();
  } catch (const Error&) {
    if (checksums.faults.empty()) throw;
  }
}

void diff_tables(const std::string& a, const std::string& b) {
  const IdentifierTable first = read_table(a), second = read_table(b);
  if (first.items() != second.items()) {
    std::cout << "items: " << first.items() << " and " << second.items() << "\n";
    return;
  }
  std::int64_t changed = 0;
  for (ItemId item = 0; item < first.items(); ++item) {
    if (first.strings_of(item) == second.strings_of(item)) continue;
    if (++changed <= 20) {
      const auto join = [](const std::vector<std::string>& parts) {
        return std::accumulate(parts.begin(), parts.end(), std::string());
      };
      std::cout << "item " << item << ": " << join(first.strings_of(item)) << " → "
                << join(second.strings_of(item)) << "\n";
    }
  }
  if (changed > 20) std::cout << "... " << changed - 20 << " more\n";
  std::cout << changed << " of " << first.items() << " identifiers differ\n";
}

/// Files of other programs carry no checksums.
bool same_values(const Hdf5Reader& a, const Hdf5Reader& b, const std::string& name) {
  if (a.has_attribute(name, "sha256") && b.has_attribute(name, "sha256")) {
    return a.text_attribute(name, "sha256") == b.text_attribute(name, "sha256");
  }
  try {
    const HostArray first = a.read(name), second = b.read(name);
    return first.type == second.type && first.bytes == second.bytes;
  } catch (const DataError&) {  // no numbers
    return a.read_strings(name) == b.read_strings(name);
  }
}

/// Compares what training made (weights, optimiser, identifiers, tokenizer) or a dataset holds; the
/// configuration and the clock's readings in the progress may differ between runs that computed the same.
void diff_files(const Hdf5Reader& a, const Hdf5Reader& b) {
  std::set<std::string> names;
  for (const Hdf5Reader* file : {&a, &b}) {
    for (const std::string& name : file->datasets()) {
      if (!name.starts_with("/config") && !name.starts_with("/progress") && name != "/report")
        names.insert(name);
    }
  }
  std::int64_t different = 0;
  for (const std::string& name : names) {
    std::string fault;
    if (!a.has(name) || !b.has(name)) {
      fault = "only in " + (a.has(name) ? a.path() : b.path()).string();
    } else if (a.shape(name) != b.shape(name)) {
      fault = text_of_shape(a.shape(name)) + " and " + text_of_shape(b.shape(name));
    } else if (!same_values(a, b, name)) {
      fault = "other values";
    }
    if (!fault.empty() && ++different <= 20) std::cout << name << ": " << fault << "\n";
  }
  std::cout << different << " datasets differ of " << names.size() << "\n";
}

void diff(const std::string& a, const std::string& b) {
  if (!is_json(a) && !is_json(b)) {
    const Hdf5Reader first(a), second(b);
    diff_files(first, second);
    if (!first.has("/items/identifiers") || !second.has("/items/identifiers")) return;
  }
  diff_tables(a, b);
}

/// Of a run folder the best checkpoint, else the last one, the tokenizer, or the newest identifiers.
fs::path file_in(const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  for (const char* name : {"best", "last", kTokenizerFile, kCfStateFile}) {
    const fs::path file = path / "checkpoints" / name;
    if (fs::exists(file)) return file;
  }
  const RunFolder run(path, /*is_root=*/false);
  int iteration = 0;
  while (fs::exists(run.identifiers(iteration))) ++iteration;
  if (iteration > 0) return run.identifiers(iteration - 1);
  throw MissingInput(path.string() + ": is no run folder with a checkpoint or identifiers; name a file");
}

bool names_data(const DataOptions& options) {
  return !options.dir.empty() || !options.file.empty();
}

Dataset dataset_for(const IdentifierTable& table, const ProgramOptions& o) {
  DataOptions options = o.data;
  options.needs_text = false;
  DatasetRepairs repairs;
  Dataset dataset = load_dataset(options, o.run.seed, /*rank=*/0, /*ranks=*/1, repairs);
  if (dataset.items() != table.items()) {
    throw DataError(dataset.name + ": has " + std::to_string(dataset.items()) +
                    " items, but the identifiers are of " + std::to_string(table.items()) +
                    ": give the data options of their dataset");
  }
  return dataset;
}

/// A row an item of the table; `dataset`: as far as data are named.
Embeddings vectors_for(const IdentifierTable& table, const std::optional<Dataset>& dataset,
                       const fs::path& path) {
  if (dataset) return read_embeddings_for(*dataset, path);
  Embeddings vectors = read_embeddings(path);
  if (vectors.rows != table.items()) {
    throw DataError(path.string() + ": holds " + std::to_string(vectors.rows) +
                    " rows, but the identifiers are of " + std::to_string(table.items()) +
                    " items; row i is item i's: give the vectors of their dataset");
  }
  require_finite(vectors, path.string());
  return vectors;
}

/// What letter.cf, tokenizer.embeddings and the data options name for comparison.
DiagnosticInputs inputs_for(const IdentifierTable& table, const ProgramOptions& o) {
  DiagnosticInputs inputs;
  inputs.codes = o.tokenizer.rqvae.codes;
  std::optional<Dataset> dataset;
  if (names_data(o.data)) dataset = dataset_for(table, o);
  if (const fs::path cf = cf_file(o); !cf.empty()) inputs.cf = vectors_for(table, dataset, cf);
  if (const fs::path text = embeddings_file(o); !text.empty()) {
    inputs.text = vectors_for(table, dataset, text);
  }
  if (!dataset) return inputs;
  inputs.texts = item_texts(dataset->catalogue, o.data.text);
  const bool has_texts = std::ranges::any_of(inputs.texts, [](const auto& text) { return !text.empty(); });
  if (!has_texts) inputs.texts.clear();
  return inputs;
}

Json file_json(const fs::path& path, const std::optional<Embeddings>& vectors) {
  if (!vectors) return {};
  Json json = provenance_json(vectors->provenance);
  json["file"] = path.string();
  return json;
}

void diagnose_table(const fs::path& path, HostArray codebooks, const ProgramOptions& o) {
  const IdentifierTable table = read_table(path);
  DiagnosticInputs inputs = inputs_for(table, o);
  inputs.codebooks = std::move(codebooks);
  Progress progress(progress_mode(o.run.progress), /*rank=*/0);
  const TableDiagnostics diagnostics = diagnose(table, inputs, &progress);
  std::cout << to_text(diagnostics, table);
  if (o.to.empty()) return;
  Json json = {{"file", path.string()},
               {"cf", file_json(cf_file(o), inputs.cf)},
               {"embeddings", file_json(embeddings_file(o), inputs.text)}};
  json.update(to_json(diagnostics, table));
  write_json(o.to, json);
  std::cout << std::flush << o.to << ": all figures\n";
}

void print_tokenizer(const Hdf5Reader& file) {
  if (!file.has_attribute(kTokenizer, "best_epoch")) return;
  print_line("tokenizer", std::to_string(file.integer_attribute(kTokenizer, "epoch")) + " epochs");
  const std::int64_t best = file.integer_attribute(kTokenizer, "best_epoch");
  if (best < 0) return;
  std::cout << std::left << std::setw(21) << "best epoch" << best << ", collision rate "
            << file.real_attribute(kTokenizer, "best_collision_rate") << " before re-assignment, loss "
            << file.real_attribute(kTokenizer, "best_loss") << "\n";
}

/// Whether something is asked for that only identifiers have.
bool compares_identifiers(const ProgramOptions& o) {
  return !o.to.empty() || !o.vectors.cf.empty() || !o.vectors.embeddings.empty() || names_data(o.data);
}

void inspect(const fs::path& path, const ProgramOptions& o) {
  if (is_json(path)) {
    diagnose_table(path, {}, o);
    return;
  }
  const Hdf5Reader file(path);
  // Before anything that ends at the first damaged dataset.
  const Hdf5Checksums checksums = o.verify ? file.check_checksums() : Hdf5Checksums();
  if (o.verify) print_checksums(checksums);
  show(checksums, [&] { print_attributes(file); });
  show(checksums, [&] {
    if (file.has("/progress/stage")) print_progress(file);
  });
  show(checksums, [&] { print_tokenizer(file); });
  show(checksums, [&] { print_datasets(file); });
  const bool has_identifiers = file.has("/items/identifiers");
  if (!has_identifiers && compares_identifiers(o)) {
    throw DataError(path.string() +
                    ": holds no identifiers to compare with anything: give a finished tokenizer, a "
                    "checkpoint or an index.json, or leave the other options out");
  }
  show(checksums, [&] {
    if (has_identifiers) diagnose_table(path, read_codebooks(file, "/tokenizer/codebooks"), o);
  });
  if (o.verify) require_sound(file, checksums);
}

/// --to, where it is given.
void check_report(const fs::path& to) {
  if (to.empty()) return;
  if (!is_json(to) || fs::is_directory(to)) {
    throw UsageError("--to " + to.string() + ": inspect writes its figures as JSON; expected FILE.json");
  }
  if (to.has_parent_path() && !fs::is_directory(to.parent_path())) {
    throw UsageError("--to " + to.string() + ": there is no folder " + to.parent_path().string() +
                     "; make it, or give another file");
  }
}

}  // namespace

ExitCode run_inspect(Session& session) {
  // Of `--diff A B` the parser takes B for an argument of the command; `--diff A,B` is one list.
  std::vector<std::string> files = session.options.diff;
  const bool compares = !files.empty();
  files.insert(files.end(), session.line.arguments.begin(), session.line.arguments.end());
  if (files.size() != (compares ? 2 : 1)) {
    throw UsageError(
        "inspect takes one FILE (a run folder, checkpoint, index.json or dataset), or --diff A B; it got " +
        std::to_string(files.size()) + " files");
  }
  if (compares && !session.options.to.empty()) {
    throw UsageError("inspect --diff writes no file: leave --to out");
  }
  on_root(session.mpi.world(), [&] {
    if (compares) {
      diff(files[0], files[1]);
    } else {
      check_report(session.options.to);
      inspect(file_in(files[0]), session.options);
    }
  });
  return ExitCode::kDone;
}

}  // namespace genrec
