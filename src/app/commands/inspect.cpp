// inspect: what a checkpoint, identifier table or dataset holds; --verify tests checksums; --diff compares
// two.
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "app/session.h"
#include "base/error.h"
#include "comm/on_root.h"
#include "data/readers/hdf5_dataset.h"
#include "io/hdf5.h"
#include "io/host_array.h"
#include "io/json_file.h"
#include "tokenizers/identifier_hdf5.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/statistics.h"

namespace genrec {
namespace {

bool is_json(const std::filesystem::path& path) {
  return path.extension() == ".json";
}

/// Of an index.json (its keys must be 0 .. n-1), a checkpoint or a dataset.
IdentifierTable read_table(const std::filesystem::path& path) {
  if (is_json(path)) return read_index_json(path, static_cast<std::int64_t>(read_json(path).size()));
  const Hdf5Reader file(path);
  if (!file.has("/items/identifiers")) {
    throw DataError(path.string() + ": no /items/identifiers in it; give a checkpoint or an index.json");
  }
  return read_identifiers(file, kIdentifierGroup);
}

void print_table(const IdentifierTable& table) {
  const IdentifierStatistics s = statistics_of(table);
  std::cout << "items                " << s.items << "\n"
            << "distinct identifiers " << s.distinct << "\n"
            << "collision rate       " << s.collision_rate << " (" << s.sharing_items
            << " items share one, the largest group has " << s.largest_group << ")\n"
            << "length               " << s.shortest << " to " << s.longest << "; " << s.prefix_items
            << " are a proper prefix of another\n"
            << "symbols              " << table.symbols().size() << "\n"
            << "sha256               " << table.sha256() << "\n";
  for (std::size_t p = 0; p < s.positions.size(); ++p) {
    const PositionUse& use = s.positions[p];
    std::cout << "position " << p + 1 << "           " << use.symbols << " symbols, entropy "
              << use.entropy_bits << " bits, most common in " << use.most_common << " of " << use.items
              << " items\n";
  }
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
      if (!name.starts_with("/config") && !name.starts_with("/progress")) names.insert(name);
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

void inspect(const std::filesystem::path& path, bool verifies) {
  if (is_json(path)) {
    print_table(read_table(path));
    return;
  }
  const Hdf5Reader file(path);
  // Before anything that ends at the first damaged dataset.
  const Hdf5Checksums checksums = verifies ? file.check_checksums() : Hdf5Checksums();
  if (verifies) print_checksums(checksums);
  show(checksums, [&] { print_attributes(file); });
  show(checksums, [&] {
    if (file.has("/progress/stage")) print_progress(file);
  });
  show(checksums, [&] { print_datasets(file); });
  show(checksums, [&] {
    if (file.has("/items/identifiers")) print_table(read_table(path));
  });
  if (verifies) require_sound(file, checksums);
}

}  // namespace

ExitCode run_inspect(Session& session) {
  // Of `--diff A B` the parser takes B for an argument of the command; `--diff A,B` is one list.
  std::vector<std::string> files = session.options.diff;
  const bool compares = !files.empty();
  files.insert(files.end(), session.line.arguments.begin(), session.line.arguments.end());
  if (files.size() != (compares ? 2 : 1)) {
    throw UsageError("inspect takes one FILE (a checkpoint, index.json or dataset), or --diff A B; it got " +
                     std::to_string(files.size()) + " files");
  }
  on_root(session.mpi.world(), [&] {
    if (compares) {
      diff(files[0], files[1]);
    } else {
      inspect(files[0], session.options.verify);
    }
  });
  return ExitCode::kDone;
}

}  // namespace genrec
