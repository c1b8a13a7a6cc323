#include "data/embeddings.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "io/hdf5.h"
#include "io/sha256.h"

namespace genrec {
namespace {

constexpr std::int64_t kNumbersAtOnce = 1 << 22;  ///< numbers read at once
constexpr char kSource[] = "source", kTemplate[] = "template", kRows[] = "rows",
               kSourceFingerprint[] = "fingerprint";
/// Of foreign files, on the dataset or on the root.
constexpr char kModel[] = "model";

std::string object_of(const std::string& name) {
  return name.starts_with('/') ? name : "/" + name;
}

std::string where_of(const std::filesystem::path& path, const std::string& name) {
  return path.string() + ", dataset " + name;
}

/// What errors about the whole of a file tell to do.
constexpr char kRemedy[] = "; make it anew with the embed command or data_prep/";

/// The extents [rows, width] of a table of at least one column.
std::pair<std::int64_t, std::int64_t> table_shape(const Hdf5Reader& file, const std::string& name) {
  const std::string object = object_of(name);
  if (!file.has(object)) {
    std::string list;
    for (const std::string& there : file.datasets()) list += (list.empty() ? "" : ", ") + there;
    throw DataError(where_of(file.path(), name) + ": is not in the file, which holds " +
                    (list.empty() ? "no dataset" : list) + "; name the dataset of the vectors");
  }
  const std::vector<std::int64_t> shape = file.shape(object);
  if (shape.size() != 2 || shape[1] < 1 || shape[0] > std::numeric_limits<ItemId>::max()) {
    throw DataError(where_of(file.path(), name) + ": has the shape " + text_of_shape(shape) +
                    " where [items, width] was expected" + kRemedy);
  }
  return {shape[0], shape[1]};
}

std::string text_or_nothing(const Hdf5Reader& file, const std::string& object, const char* attribute) {
  return file.has_attribute(object, attribute) ? file.text_attribute(object, attribute) : std::string();
}

std::string source_of(const Hdf5Reader& file, const std::string& object) {
  std::string source = text_or_nothing(file, object, kSource);
  if (source.empty()) source = text_or_nothing(file, object, kModel);
  return source.empty() ? text_or_nothing(file, "/", kModel) : source;
}

/// The first `keep` rows; the checksum is of all.
Embeddings read_rows(const Hdf5Reader& file, const std::string& name, std::int64_t keep) {
  const std::string object = object_of(name);
  const auto [rows, width] = table_shape(file, name);
  Embeddings result;
  result.rows = keep;
  result.width = width;
  result.values.reserve(static_cast<std::size_t>(keep * width));
  result.provenance.source = source_of(file, object);
  result.provenance.text_template = text_or_nothing(file, object, kTemplate);
  result.provenance.fingerprint = text_or_nothing(file, object, kSourceFingerprint);
  result.provenance.rows = rows;
  if (file.has_attribute(object, kRows) && file.integer_attribute(object, kRows) != rows) {
    throw DataError(where_of(file.path(), name) + ": was made with " +
                    std::to_string(file.integer_attribute(object, kRows)) + " rows, but has " +
                    std::to_string(rows) + kRemedy);
  }
  const auto kept = static_cast<std::size_t>(keep * width);
  result.provenance.sha256 =
      file.read_float_blocks(object, std::max<std::int64_t>(1, kNumbersAtOnce / width),
                             [&](std::int64_t /*begin*/, std::span<const float> block) {
                               const auto count = std::min(block.size(), kept - result.values.size());
                               result.values.insert(result.values.end(), block.begin(),
                                                    block.begin() + static_cast<std::ptrdiff_t>(count));
                             });
  return result;
}

std::uint32_t bits_of(float value) {
  return std::bit_cast<std::uint32_t>(value == 0 ? 0.0F : value);
}

std::uint64_t hash_of(std::span<const float> row) {
  std::uint64_t hash = 0;
  for (const float value : row) hash = mix64(hash ^ bits_of(value));
  return hash;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float x, float y) { return bits_of(x) == bits_of(y); });
}

void count_non_finite(const Embeddings& embeddings, EmbeddingCounts& counts) {
  for (std::int64_t r = 0; r < embeddings.rows; ++r) {
    const auto row = embeddings.row(r);
    const auto bad = std::count_if(row.begin(), row.end(), [](float value) { return !std::isfinite(value); });
    if (bad == 0) continue;
    counts.non_finite_values += bad;
    if (counts.non_finite_rows++ == 0) counts.first_non_finite_row = r;
  }
}

void count_constant(const Embeddings& embeddings, EmbeddingCounts& counts) {
  for (std::int64_t r = 0; r < embeddings.rows; ++r) {
    const auto row = embeddings.row(r);
    const bool constant = std::all_of(row.begin(), row.end(), [&](float value) { return value == row[0]; });
    if (!constant || (row.size() == 1 && row[0] != 0)) continue;
    if (row[0] == 0) ++counts.zero_rows;
    if (counts.constant_rows++ == 0) counts.first_constant_row = r;
  }
}

void count_equal(const Embeddings& embeddings, EmbeddingCounts& counts) {
  std::vector<std::int64_t> members(static_cast<std::size_t>(embeddings.rows), 0);
  for (const std::int64_t first : first_equal_rows(embeddings)) ++members[static_cast<std::size_t>(first)];
  for (const std::int64_t count : members) {
    if (count > 0) ++counts.distinct_rows;
    if (count < 2) continue;
    ++counts.groups;
    counts.largest_group = std::max(counts.largest_group, count);
  }
  counts.repeating_rows = counts.rows - counts.distinct_rows;
}

}  // namespace

Embeddings make_embeddings(std::vector<float> values, std::int64_t width, std::string source,
                           std::string text_template) {
  const auto count = static_cast<std::int64_t>(values.size());
  if (width < 1 || count % width != 0) {
    throw Error(ExitCode::kInternal,
                std::to_string(count) + " numbers given for vectors of width " + std::to_string(width));
  }
  Embeddings result;
  result.rows = count / width;
  result.width = width;
  result.provenance = {std::move(source), std::move(text_template), result.rows,
                       sha256(std::as_bytes(std::span(values)))};
  result.values = std::move(values);
  return result;
}

Embeddings read_embeddings(const std::filesystem::path& path, const std::string& name) {
  const Hdf5Reader file(path);
  return read_rows(file, name, table_shape(file, name).first);
}

Embeddings read_embeddings_for(const Dataset& dataset, const std::filesystem::path& path,
                               const std::string& name) {
  const Hdf5Reader file(path);
  const std::int64_t expected = std::max(dataset.items_before_limit, dataset.items());
  const std::int64_t found = table_shape(file, name).first;
  if (found != expected) {
    std::string remedy = "; row i is item i's: take the embeddings of this dataset";
    if (found == expected + 1) remedy += " (a table with ids from 1: vectors_to_hdf5.py --drop-first-row)";
    throw DataError(where_of(path, name) + ": holds " + std::to_string(found) +
                    " rows, but the dataset has " + std::to_string(expected) + " items" + remedy);
  }
  Embeddings result = read_rows(file, name, dataset.items());
  require_finite(result, where_of(path, name));
  return result;
}

void write_embeddings(const std::filesystem::path& path, const Embeddings& embeddings,
                      const std::string& name) {
  const std::string object = object_of(name);
  Hdf5Writer file(path);
  file.write<float>(object, embeddings.values, {embeddings.rows, embeddings.width});
  file.attribute(object, kSource, embeddings.provenance.source);
  file.attribute(object, kTemplate, embeddings.provenance.text_template);
  file.attribute(object, kRows, embeddings.rows);
  if (!embeddings.provenance.fingerprint.empty()) {
    file.attribute(object, kSourceFingerprint, embeddings.provenance.fingerprint);
  }
  file.commit();
}

EmbeddingCounts examine(const Embeddings& embeddings) {
  EmbeddingCounts counts;
  counts.rows = embeddings.rows;
  count_non_finite(embeddings, counts);
  count_constant(embeddings, counts);
  count_equal(embeddings, counts);
  return counts;
}

std::vector<std::string> describe(const EmbeddingCounts& counts, const std::string& of_repeats) {
  std::vector<std::string> lines;
  const auto number = [](std::int64_t count) { return std::to_string(count); };
  const std::string of_rows = " of " + number(counts.rows) + " rows ";
  if (counts.non_finite_values > 0) {
    lines.push_back(number(counts.non_finite_rows) + of_rows + "hold NaN or infinite numbers (" +
                    number(counts.non_finite_values) + " numbers), the first is row " +
                    number(counts.first_non_finite_row));
  }
  if (counts.constant_rows > 0) {
    lines.push_back(number(counts.constant_rows) + of_rows + "are constant (" + number(counts.zero_rows) +
                    " of zeros), the first is row " + number(counts.first_constant_row) +
                    ": they say nothing of their items");
  }
  if (counts.repeating_rows > 0) {
    lines.push_back(number(counts.repeating_rows) + of_rows + "repeat another one (" + number(counts.groups) +
                    " groups, " + number(counts.largest_group) + " rows in the largest): " + of_repeats);
  }
  return lines;
}

std::vector<std::int64_t> first_equal_rows(const Embeddings& embeddings) {
  std::vector<std::pair<std::uint64_t, std::int64_t>> order;
  order.reserve(static_cast<std::size_t>(embeddings.rows));
  for (std::int64_t r = 0; r < embeddings.rows; ++r) order.emplace_back(hash_of(embeddings.row(r)), r);
  std::sort(order.begin(), order.end());
  std::vector<std::int64_t> first(static_cast<std::size_t>(embeddings.rows));
  std::iota(first.begin(), first.end(), std::int64_t{0});
  std::vector<std::int64_t> seen;  // different rows with the hash at hand: nearly always one
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto [hash, r] = order[i];
    if (i == 0 || hash != order[i - 1].first) seen.clear();
    const auto row = embeddings.row(r);
    const auto same = std::find_if(seen.begin(), seen.end(),
                                   [&](std::int64_t other) { return same_bits(embeddings.row(other), row); });
    if (same != seen.end()) {
      first[static_cast<std::size_t>(r)] = *same;
    } else {
      seen.push_back(r);
    }
  }
  return first;
}

void require_finite(const Embeddings& embeddings, const std::string& where) {
  EmbeddingCounts counts;
  counts.rows = embeddings.rows;
  count_non_finite(embeddings, counts);
  if (counts.non_finite_values == 0) return;
  throw DataError(where + ": " + describe(counts).front() + "; every number has to be finite" + kRemedy);
}

}  // namespace genrec
