#include "io/safetensors.h"

#include <gmock/gmock.h>

#include "expect_error.h"
#include "full_disk.h"
#include "io/files.h"
#include "support.h"

namespace genrec {
namespace {

using test::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string bytes_of(std::uint64_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

/// A file of the format: the header's length, the header, the data.
std::string file_of(const std::string& header, const std::string& data) {
  return bytes_of(header.size()) + header + data;
}

class Safetensors : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path() const { return folder_.path() / "model.safetensors"; }
  test::TemporaryFolder folder_;
};

std::map<std::string, HostArray> some_tensors() {
  const std::vector<float> floats{1, -2, 3, 4, 5, 6.5F};
  const std::vector<double> doubles{0.1};
  const std::vector<std::int32_t> small{-1, 2};
  const std::vector<std::int64_t> large{-5};
  const std::vector<std::uint8_t> bytes{1, 2, 3};
  const std::vector<std::uint64_t> unsigneds{~std::uint64_t{0}};
  return {{"a.weight", HostArray::of<float>(floats, {2, 3})},
          {"b", HostArray::of<double>(doubles, {})},
          {"c", HostArray::of<std::int32_t>(small, {2})},
          {"d", HostArray::of<std::int64_t>(large, {1, 1})},
          {"e", HostArray::of<std::uint8_t>(bytes, {3})},
          {"f", HostArray::of<std::uint64_t>(unsigneds, {1})},
          {"g", {ElementType::kBFloat16, {1}, {std::byte{0x80}, std::byte{0x3f}}}},
          {"h", {ElementType::kFloat16, {1}, {std::byte{0}, std::byte{0x3c}}}},
          {"none", HostArray::of<float>({}, {0, 4})}};
}

void expect_equal(const std::map<std::string, HostArray>& got,
                  const std::map<std::string, HostArray>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (const auto& [name, array] : wanted) {
    ASSERT_TRUE(got.contains(name)) << name;
    EXPECT_EQ(got.at(name).type, array.type) << name;
    EXPECT_EQ(got.at(name).shape, array.shape) << name;
    EXPECT_EQ(got.at(name).bytes, array.bytes) << name;
  }
}

TEST_F(Safetensors, RoundTrip) {
  write_safetensors(path(), some_tensors());
  expect_equal(read_safetensors(path()), some_tensors());
  expect_equal(read_safetensors(folder_.path()), some_tensors());
  write_safetensors(path(), {});
  EXPECT_TRUE(read_safetensors(path()).empty());
}

TEST_F(Safetensors, LayoutOfAFile) {
  const std::vector<std::uint8_t> bytes{'x', 'y'};
  write_safetensors(path(), {{"t", HostArray::of<std::uint8_t>(bytes, {2})}});
  const std::string file = read_text_file(path());
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  EXPECT_THAT(file, HasSubstr(header));
  EXPECT_EQ((file.size() - 2) % 8, 0U);
  EXPECT_EQ(file.substr(file.size() - 2), "xy");
}

TEST_F(Safetensors, ReadsWhatOthersWrite) {
  // Any order, blanks after the header, no metadata.
  write_file_atomically(
      path(),
      file_of(R"({"z":{"data_offsets":[0,4],"shape":[],"dtype":"I32"},"a":{"dtype":"U8","shape":[1,2],)"
              R"("data_offsets":[4,6]}}   )",
              std::string("\x07\0\0\0\x01\x02", 6)));
  const auto tensors = read_safetensors(path());
  EXPECT_THAT(tensors.at("z").as<std::int32_t>(), ElementsAre(7));
  EXPECT_THAT(tensors.at("a").as<std::uint8_t>(), ElementsAre(1, 2));
}

TEST_F(Safetensors, Shards) {
  const auto all = some_tensors();
  write_safetensors(folder_.path() / "one.safetensors",
                    {{"a.weight", all.at("a.weight")}, {"b", all.at("b")}});
  write_safetensors(folder_.path() / "two.safetensors", {{"c", all.at("c")}});
  const fs::path index = folder_.path() / "model.safetensors.index.json";
  write_file_atomically(index,
                        R"({"metadata": {"total_size": 1}, "weight_map": {"a.weight": "one.safetensors",
    "b": "one.safetensors", "c": "two.safetensors"}})");
  expect_equal(read_safetensors(folder_.path()),
               {{"a.weight", all.at("a.weight")}, {"b", all.at("b")}, {"c", all.at("c")}});

  write_file_atomically(index, R"({"weight_map": {"d": "two.safetensors"}})");
  EXPECT_THAT(error_of<DataError>([&] { (void)read_safetensors(folder_.path()); }), HasSubstr("tensor d"));
  write_file_atomically(index, R"({"weight_map": {"d": "../two.safetensors"}})");
  EXPECT_THAT(error_of<DataError>([&] { (void)read_safetensors(folder_.path()); }),
              HasSubstr("weight_map/d"));
  write_file_atomically(index, R"({"weight_map": {"d": "three.safetensors"}})");
  EXPECT_THAT(error_of<MissingInput>([&] { (void)read_safetensors(folder_.path()); }), HasSubstr("three"));
  write_file_atomically(index, R"({"weights": {}})");
  EXPECT_THAT(error_of<DataError>([&] { (void)read_safetensors(folder_.path()); }), HasSubstr("weight_map"));
}

TEST_F(Safetensors, Missing) {
  EXPECT_THAT(error_of<MissingInput>([&] { (void)read_safetensors(folder_.path()); }),
              HasSubstr("model.safetensors"));
  EXPECT_THAT(error_of<MissingInput>([&] { (void)read_safetensors(path()); }),
              HasSubstr("model.safetensors"));
}

TEST_F(Safetensors, MalformedFiles) {
  const std::string four(4, '\0');
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"t":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const struct {
    const char* name;
    std::string content;
    const char* expected;
  } cases[] = {
      {"empty", "", "8 were expected"},
      {"short", "1234", "8 were expected"},
      {"header longer than the file", bytes_of(100) + "{}", "header of 100"},
      {"huge header", bytes_of(~std::uint64_t{0}) + "{}", "header of"},
      {"header is no JSON", file_of("{\"t\": ", ""), "line 1"},
      {"header is no object", file_of("[]", ""), "object"},
      {"a key twice", file_of(R"({"t":1,"t":2})", ""), "twice"},
      {"entry is no object", file_of(R"({"t":1})", ""), "tensor t"},
      {"no shape", file_of(R"({"t":{"dtype":"F32","data_offsets":[0,4]}})", four), "tensor t"},
      {"unknown type", file_of(entry("\"F8\"", "[4]", "[0,4]"), four), "F8"},
      {"type is a number", file_of(entry("5", "[4]", "[0,4]"), four), "dtype"},
      {"negative extent", file_of(entry("\"F32\"", "[-1]", "[0,4]"), four), "shape"},
      {"fraction", file_of(entry("\"F32\"", "[1.5]", "[0,4]"), four), "shape"},
      {"three offsets", file_of(entry("\"F32\"", "[1]", "[0,4,8]"), four), "data_offsets"},
      {"turned offsets", file_of(entry("\"F32\"", "[1]", "[4,0]"), four), "tensor t"},
      {"beyond the end", file_of(entry("\"F32\"", "[2]", "[0,8]"), four), "truncated"},
      {"shape does not fit", file_of(entry("\"F32\"", "[2]", "[0,4]"), four), "need 8"},
      {"shape overflows", file_of(entry("\"U8\"", "[4294967296,4294967296,4]", "[0,4]"), four), "too large"},
      {"data left over", file_of(entry("\"F32\"", "[1]", "[0,4]"), four + "x"), "header names 4"},
      {"gap", file_of(entry("\"U8\"", "[2]", "[2,4]"), four), "begins at byte 2"},
      {"overlap",
       file_of(
           R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})",
           four),
       "tensor b: begins"},
  };
  for (const auto& c : cases) {
    write_file_atomically(path(), c.content);
    EXPECT_THAT(error_of<DataError>([&] { (void)read_safetensors(path()); }),
                AllOf(HasSubstr(path().string()), HasSubstr(c.expected)))
        << c.name;
  }
}

TEST_F(Safetensors, FullDiskKeepsTheOldFile) {
  write_safetensors(path(), some_tensors());
  const std::string before = read_text_file(path());
  const std::vector<float> large(10000, 1.0F);
  std::string error;
  {
    const test::FullDisk full(10000);
    error = error_of<InputOutputError>([&] {
      write_safetensors(path(), {{"x", HostArray::of<float>(large, {10000})}});
    });
  }
  EXPECT_THAT(error, AllOf(HasSubstr(path().string()), HasSubstr("free space")));
  EXPECT_EQ(read_text_file(path()), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace genrec
