// inspect: what a checkpoint, identifier table or dataset holds; --verify tests checksums; --diff compares
// two.
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <set>

#include "app/session.h"
#include "base/error.h"
#include "io/hdf5.h"
#include "io/json_file.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/statistics.h"

namespace genrec {
namespace {

bool is_json(const std::filesystem::path& path) {
  return path.extension() == ".json";
}

/// Number of items of an index.json: its keys must be 0 .. n-1.
IdentifierTable read_table(const std::filesystem::path& path) {
  if (is_json(path)) return read_index_json(path, static_cast<std::int64_t>(read_json(path).size()));
  const Hdf5Reader file(path);
  if (!file.has("/items/identifiers")) {
    throw DataError(path.string() + ": no /items/identifiers in it; give a checkpoint or an index.json");
  }
  std::vector<std::int64_t> offsets{0};
  for (const std::int32_t length : file.read<std::int32_t>("/items/identifier_lengths"))
    offsets.push_back(offsets.back() + length);
  return IdentifierTable(file.read_strings("/items/symbols"), std::move(offsets),
                         file.read<std::int32_t>("/items/identifiers"));
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

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

void print_file(const Hdf5Reader& file) {
  for (const char* name : {"schema_version", "writer", "git", "name", "dataset"}) {
    if (!file.has_attribute("/", name)) continue;
    std::cout << std::left << std::setw(21) << name;
    try {
      std::cout << file.text_attribute("/", name) << "\n";
    } catch (const DataError&) {
      std::cout << file.integer_attribute("/", name) << "\n";
    }
  }
  for (const std::string& dataset : file.datasets())
    std::cout << "  " << dataset << " " << shape_text(file.shape(dataset)) << "\n";
}

void verify(const Hdf5Reader& file) {
  const auto faults = file.verify();
  for (const auto& fault : faults) std::cout << fault << "\n";
  if (!faults.empty()) {
    throw InputOutputError(
        file.path().string() + ": " + std::to_string(faults.size()) +
        " datasets differ from their checksums; restore the file, or resume from checkpoints/prev");
  }
  std::cout << "all " << file.datasets().size() << " datasets agree with their checksums\n";
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

/// Compares what training made (weights, optimiser, identifiers, tokenizer); the configuration and the
/// clock's readings in the progress may differ between runs that computed the same.
void diff_checkpoints(const Hdf5Reader& a, const Hdf5Reader& b) {
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
      fault = shape_text(a.shape(name)) + " and " + shape_text(b.shape(name));
    } else if (a.text_attribute(name, "sha256") != b.text_attribute(name, "sha256")) {
      fault = "other values";
    }
    if (!fault.empty() && ++different <= 20) std::cout << name << ": " << fault << "\n";
  }
  std::cout << different << " datasets differ of " << names.size() << "\n";
}

}  // namespace

ExitCode run_inspect(Session& session) {
  if (session.mpi.rank() != 0) return ExitCode::kDone;
  const ProgramOptions& options = session.options;
  if (!options.diff.empty()) {
    if (options.diff.size() != 2) throw UsageError("--diff takes two files: --diff A,B");
    if (!is_json(options.diff[0]) && !is_json(options.diff[1])) {
      diff_checkpoints(Hdf5Reader(options.diff[0]), Hdf5Reader(options.diff[1]));
    }
    diff_tables(options.diff[0], options.diff[1]);
    return ExitCode::kDone;
  }
  if (session.line.arguments.size() != 1)
    throw UsageError("inspect takes one FILE (a checkpoint, index.json or dataset), or --diff A,B");
  const std::filesystem::path path = session.line.arguments.front();
  if (is_json(path)) {
    print_table(read_table(path));
    return ExitCode::kDone;
  }
  const Hdf5Reader file(path);
  print_file(file);
  if (file.has("/items/identifiers")) print_table(read_table(path));
  if (options.verify) verify(file);
  return ExitCode::kDone;
}

}  // namespace genrec
