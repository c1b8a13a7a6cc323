#include "io/safetensors.h"

#include <algorithm>
#include <bit>
#include <fstream>
#include <vector>

#include "base/error.h"
#include "io/json_file.h"
#include "io/partial_file.h"

namespace genrec {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold the bytes of little-endian machines");
namespace fs = std::filesystem;

constexpr char kFile[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";
constexpr char kMetadata[] = "__metadata__";
/// The format's own limit of a header.
constexpr std::uint64_t kMostHeaderBytes = 100'000'000;

constexpr struct {
  ElementType type;
  const char* name;
} kTypes[] = {{ElementType::kFloat32, "F32"}, {ElementType::kFloat64, "F64"},
              {ElementType::kFloat16, "F16"}, {ElementType::kBFloat16, "BF16"},
              {ElementType::kInt32, "I32"},   {ElementType::kInt64, "I64"},
              {ElementType::kUInt8, "U8"},    {ElementType::kUInt64, "U64"}};

/// Where a tensor lies behind the header.
struct Entry {
  std::string name;
  HostArray array;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// One file: its header is read and checked at once, a tensor when it is asked for.
class Reader {
 public:
  explicit Reader(fs::path path) : path_(std::move(path)), stream_(path_, std::ios::binary) {
    std::error_code error;
    if (!fs::exists(path_, error)) {
      throw MissingInput("no such file: " + path_.string() + "; correct the path or provide the file");
    }
    size_ = fs::file_size(path_, error);
    if (error || !stream_)
      throw InputOutputError("cannot read " + path_.string() + "; check its permissions");
    read_header();
  }

  [[nodiscard]] std::vector<Entry>& entries() { return entries_; }
  void load(Entry& entry) {
    entry.array.bytes.resize(entry.end - entry.begin);
    stream_.seekg(static_cast<std::streamoff>(data_ + entry.begin));
    stream_.read(reinterpret_cast<char*>(entry.array.bytes.data()),
                 static_cast<std::streamsize>(entry.array.bytes.size()));
    if (!stream_)
      throw InputOutputError("cannot read " + path_.string() + "; check the disk, then run again");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(path_.string() + ": " + what +
                    "; the file is damaged or no safetensors file: get it again");
  }

  void read_header() {
    std::uint64_t length = 0;
    stream_.read(reinterpret_cast<char*>(&length), sizeof(length));
    if (!stream_) fail("has " + std::to_string(size_) + " bytes where at least 8 were expected");
    if (length > kMostHeaderBytes || length > size_ - sizeof(length)) {
      fail("names a header of " + std::to_string(length) + " bytes but has " + std::to_string(size_));
    }
    std::string header(length, '\0');
    stream_.read(header.data(), static_cast<std::streamsize>(length));
    if (!stream_)
      throw InputOutputError("cannot read " + path_.string() + "; check the disk, then run again");
    data_ = sizeof(length) + length;

    const Json json = parse_json(header, path_);
    if (!json.is_object()) fail("its header is no JSON object");
    for (const auto& [name, value] : json.items()) {
      if (name != kMetadata) entries_.push_back(parse_entry(name, value));
    }
    check_layout();
  }

  Entry parse_entry(const std::string& name, const Json& value) const {
    const std::string tensor = "tensor " + name + ": ";
    if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets")) {
      fail(tensor + "dtype, shape and data_offsets were expected");
    }
    const Json& dtype = value["dtype"];
    const Json& shape = value["shape"];
    const Json& offsets = value["data_offsets"];
    const auto whole = [](const Json& number) { return number.is_number_unsigned(); };
    if (!dtype.is_string()) fail(tensor + "dtype is no text");
    if (!shape.is_array() || !std::all_of(shape.begin(), shape.end(), whole)) {
      fail(tensor + "shape is no list of whole numbers");
    }
    if (!offsets.is_array() || offsets.size() != 2 || !std::all_of(offsets.begin(), offsets.end(), whole)) {
      fail(tensor + "data_offsets are not two whole numbers");
    }
    const auto text = dtype.get<std::string>();
    const auto* type =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& t) { return text == t.name; });
    if (type == std::end(kTypes)) {
      throw DataError(path_.string() + ": " + tensor + "type " + text +
                      " is not read here; F32, F64, F16, BF16, I32, I64, U8 or U64 was expected: convert it");
    }
    Entry entry{name, {type->type, {}, {}}, offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
    std::uint64_t bytes = element_size(type->type);
    for (const Json& extent : shape) {
      const auto n = extent.get<std::uint64_t>();
      if (__builtin_mul_overflow(bytes, n, &bytes) || n > static_cast<std::uint64_t>(INT64_MAX)) {
        fail(tensor + "its shape is too large");
      }
      entry.array.shape.push_back(static_cast<std::int64_t>(n));
    }
    if (entry.begin > entry.end || entry.end > size_ - data_) {
      fail(tensor + "its data end at byte " + std::to_string(entry.end) + " of " +
           std::to_string(size_ - data_) + " (a truncated file?)");
    }
    if (entry.end - entry.begin != bytes) {
      fail(tensor + "has " + std::to_string(entry.end - entry.begin) +
           " bytes where its shape and type need " + std::to_string(bytes));
    }
    return entry;
  }

  /// Tensors must cover the data without overlap or gap.
  void check_layout() {
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t covered = 0;
    for (const Entry& entry : entries_) {
      if (entry.begin != covered) {
        fail("tensor " + entry.name + ": begins at byte " + std::to_string(entry.begin) + " where byte " +
             std::to_string(covered) + " was expected");
      }
      covered = entry.end;
    }
    if (covered != size_ - data_) {
      fail("has " + std::to_string(size_ - data_) + " bytes of data where its header names " +
           std::to_string(covered));
    }
  }

  fs::path path_;
  std::ifstream stream_;
  std::uint64_t size_ = 0;
  std::uint64_t data_ = 0;  ///< offset of the first tensor's data
  std::vector<Entry> entries_;
};

std::map<std::string, HostArray> read_one(const fs::path& path) {
  std::map<std::string, HostArray> tensors;
  Reader reader(path);
  for (Entry& entry : reader.entries()) {
    reader.load(entry);
    tensors.emplace(entry.name, std::move(entry.array));
  }
  return tensors;
}

/// The names of its tensors, for every shard.
std::map<std::string, std::vector<std::string>> names_by_shard(const fs::path& index) {
  const Json json = read_json(index);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw DataError(index.string() +
                    ": key weight_map: an object of tensor and file names was expected; get the "
                    "file again");
  }
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& [name, file] : json["weight_map"].items()) {
    if (!file.is_string() || fs::path(file.get<std::string>()).filename() != file.get<std::string>()) {
      throw DataError(index.string() + ": key weight_map/" + name +
                      ": the name of a file in the same folder was expected; correct it");
    }
    names[file.get<std::string>()].push_back(name);
  }
  return names;
}

std::map<std::string, HostArray> read_sharded(const fs::path& index) {
  std::map<std::string, HostArray> tensors;
  for (const auto& [file, names] : names_by_shard(index)) {
    const fs::path path = index.parent_path() / file;
    Reader reader(path);
    for (const std::string& name : names) {
      auto& entries = reader.entries();
      const auto entry =
          std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.name == name; });
      if (entry == entries.end()) {
        throw DataError(path.string() + ": tensor " + name + ": is absent, but " + index.filename().string() +
                        " names it there; get both files again");
      }
      reader.load(*entry);
      tensors.emplace(name, std::move(entry->array));
    }
  }
  return tensors;
}

}  // namespace

std::map<std::string, HostArray> read_safetensors(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return read_one(folder);
  if (fs::exists(folder / kFile)) return read_one(folder / kFile);
  if (fs::exists(folder / kIndex)) return read_sharded(folder / kIndex);
  throw MissingInput(folder.string() + ": has neither " + kFile + " nor " + kIndex +
                     "; save the model in the safetensors format");
}

std::vector<fs::path> safetensors_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    if (fs::exists(folder, ignored)) files.push_back(folder);
  } else if (fs::exists(folder / kFile, ignored)) {
    files.push_back(folder / kFile);
  } else if (fs::exists(folder / kIndex, ignored)) {
    files.push_back(folder / kIndex);
    for (const auto& [shard, names] : names_by_shard(folder / kIndex)) files.push_back(folder / shard);
  }
  return files;
}

void write_safetensors(const fs::path& path, const std::map<std::string, HostArray>& tensors) {
  Json header = {{kMetadata, {{"format", "pt"}}}};
  std::uint64_t offset = 0;
  for (const auto& [name, array] : tensors) {
    if (static_cast<std::size_t>(array.count()) * element_size(array.type) != array.bytes.size()) {
      throw Error(ExitCode::kInternal, "tensor " + name + " has not the number of bytes of its shape");
    }
    const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                    [&](const auto& t) { return t.type == array.type; });
    header[name] = {{"dtype", type->name},
                    {"shape", array.shape},
                    {"data_offsets", {offset, offset + array.bytes.size()}}};
    offset += array.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begin at a multiple of 8
  const std::uint64_t length = text.size();

  PartialFile file(path);
  file.write(0, &length, sizeof(length));
  file.write(sizeof(length), text.data(), text.size());
  std::uint64_t place = sizeof(length) + length;
  for (const auto& [name, array] : tensors) {
    file.write(place, array.bytes.data(), array.bytes.size());
    place += array.bytes.size();
    file.check();
  }
  file.publish();
}

}  // namespace genrec
