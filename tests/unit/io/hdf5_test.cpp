#include "io/hdf5.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include <limits>

#include "expect_error.h"
#include "io/files.h"
#include "io/sha256.h"
#include "support.h"

namespace genrec {
namespace {

using test::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

class Hdf5 : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path() const { return folder_.path() / "x.h5"; }
  test::TemporaryFolder folder_;
};

template <typename T>
void round_trip(const fs::path& path) {
  const std::vector<T> values{
      std::numeric_limits<T>::lowest(), T(1), std::numeric_limits<T>::max(), T(0), T(7), T(2)};
  Hdf5Writer writer(path);
  writer.write<T>("/deep/er/x", std::span<const T>(values), {3, 2});
  writer.write("/flat", values);
  writer.write<T>("/none", std::span<const T>(), {0, 4});
  writer.write<T>("/one", std::span<const T>(values).first(1), {});
  writer.commit();

  const Hdf5Reader reader(path);
  EXPECT_EQ(reader.read<T>("/deep/er/x"), values);
  EXPECT_THAT(reader.shape("/deep/er/x"), ElementsAre(3, 2));
  EXPECT_EQ(reader.read<T>("/flat"), values);
  EXPECT_THAT(reader.read<T>("/none"), IsEmpty());
  EXPECT_THAT(reader.shape("/none"), ElementsAre(0, 4));
  EXPECT_THAT(reader.read<T>("/one"), ElementsAre(values[0]));
  EXPECT_THAT(reader.shape("/one"), IsEmpty());
  const HostArray array = reader.read("/deep/er/x");
  EXPECT_EQ(array.type, HostArray::of<T>(std::span<const T>(), {0}).type);
  EXPECT_THAT(array.as<T>(), ::testing::ElementsAreArray(values));
  EXPECT_THAT(reader.verify(), IsEmpty());
}

TEST_F(Hdf5, RoundTripOfNumbers) {
  round_trip<float>(path());
  round_trip<double>(path());
  round_trip<std::int32_t>(path());
  round_trip<std::int64_t>(path());
  round_trip<std::uint8_t>(path());
  round_trip<std::uint64_t>(path());
}

TEST_F(Hdf5, RoundTripOfHalfTypes) {
  const std::vector<std::byte> bytes{std::byte{0x80}, std::byte{0x3f}, std::byte{0x01}, std::byte{0x7c}};
  Hdf5Writer writer(path());
  writer.write("/b", HostArray{ElementType::kBFloat16, {2}, bytes});
  writer.write("/h", HostArray{ElementType::kFloat16, {1, 2}, bytes});
  writer.commit();
  const Hdf5Reader reader(path());
  EXPECT_EQ(reader.read("/b").type, ElementType::kBFloat16);
  EXPECT_EQ(reader.read("/b").bytes, bytes);
  EXPECT_EQ(reader.read("/h").type, ElementType::kFloat16);
  EXPECT_EQ(reader.read("/h").bytes, bytes);
  EXPECT_EQ(reader.text_attribute("/b", "dtype"), "bfloat16");
  EXPECT_THAT(reader.verify(), IsEmpty());
}

TEST_F(Hdf5, RoundTripOfTextAndAttributes) {
  const std::vector<std::string> words{"", "Ärger", "日本", std::string(100000, 'x'), "a b"};
  Hdf5Writer writer(path());
  writer.write_strings("/words", words);
  writer.write_strings("/no/words", {});
  writer.write_text("/text", "line\nline");
  writer.write_text("/empty", "");
  writer.attribute("/", "name", std::string("ü"));
  writer.attribute("/", "name", std::string("twice"));
  writer.attribute("/made/group", "count", std::int64_t{-5});
  writer.attribute("/words", "real", 0.1);
  writer.commit();

  const Hdf5Reader reader(path());
  EXPECT_EQ(reader.read_strings("/words"), words);
  EXPECT_THAT(reader.read_strings("/no/words"), IsEmpty());
  EXPECT_EQ(reader.read_text("/text"), "line\nline");
  EXPECT_EQ(reader.read_text("/empty"), "");
  EXPECT_EQ(reader.text_attribute("/", "name"), "twice");
  EXPECT_EQ(reader.integer_attribute("/made/group", "count"), -5);
  EXPECT_EQ(reader.real_attribute("/words", "real"), 0.1);
  EXPECT_EQ(reader.real_attribute("/made/group", "count"), -5.0);
  EXPECT_EQ(reader.integer_attribute("/", "complete"), 1);
  EXPECT_TRUE(reader.has_attribute("/words", "sha256"));
  EXPECT_FALSE(reader.has_attribute("/words", "other"));
  EXPECT_FALSE(reader.has_attribute("/absent", "other"));
  EXPECT_THAT(reader.list("/"), ElementsAre("empty", "made", "no", "text", "words"));
  EXPECT_THAT(reader.list("/made"), ElementsAre("group"));
  EXPECT_THAT(reader.list("/absent/group"), IsEmpty());
  EXPECT_THAT(reader.datasets(), ElementsAre("/empty", "/no/words", "/text", "/words"));
  EXPECT_THAT(reader.verify(), IsEmpty());
}

TEST_F(Hdf5, BlocksAreAllRowsInOrder) {
  Hdf5Writer writer(path());
  writer.write("/flat", std::vector<std::int64_t>{1, 2, 3, 4, 5});
  writer.write<float>("/table", std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2});
  writer.write("/none", std::vector<float>{});
  writer.write<float>("/one", std::vector<float>{1}, {});
  writer.commit();
  const Hdf5Reader reader(path());
  std::vector<std::int64_t> begins, values;
  reader.read_blocks<std::int64_t>("/flat", 2, [&](std::int64_t begin, std::span<const std::int64_t> block) {
    begins.push_back(begin);
    values.insert(values.end(), block.begin(), block.end());
  });
  EXPECT_THAT(begins, ElementsAre(0, 2, 4));
  EXPECT_THAT(values, ElementsAre(1, 2, 3, 4, 5));
  std::vector<std::size_t> sizes;
  const auto note_size = [&](std::int64_t, std::span<const float> block) { sizes.push_back(block.size()); };
  reader.read_blocks<float>("/table", 2, note_size);
  reader.read_blocks<float>("/none", 2, note_size);
  EXPECT_THAT(sizes, ElementsAre(4, 2));
  EXPECT_THAT(error_of<DataError>([&] { reader.read_blocks<float>("/one", 2, note_size); }),
              HasSubstr("/one"));
  EXPECT_THAT(error_of<DataError>([&] { reader.read_blocks<float>("/flat", 2, note_size); }),
              HasSubstr("i64"));
}

TEST_F(Hdf5, FloatsOfAnyWidthComeAsFloat32) {
  const auto bytes_of = [](const std::vector<std::uint16_t>& bits) {
    const auto raw = std::as_bytes(std::span(bits));
    return std::vector<std::byte>(raw.begin(), raw.end());
  };
  Hdf5Writer writer(path());
  // 1, -2, 0.5, 65504, 2^-24, 3
  const std::vector<std::byte> halves = bytes_of({0x3c00, 0xc000, 0x3800, 0x7bff, 0x0001, 0x4200});
  writer.write("/f16", HostArray{ElementType::kFloat16, {3, 2}, halves});
  writer.write("/bf16", HostArray{ElementType::kBFloat16, {2}, bytes_of({0x3f80, 0xc040})});
  writer.write<float>("/f32", std::vector<float>{1.5F, -2.5F}, {1, 2});
  writer.write<double>("/f64", std::vector<double>{0.1, -1e300}, {2, 1});
  writer.write<float>("/none", std::span<const float>(), {0, 4});
  writer.write("/i32", std::vector<std::int32_t>{1});
  writer.write<float>("/one", std::vector<float>{1}, {});
  writer.commit();
  const Hdf5Reader reader(path());
  std::vector<std::int64_t> begins;
  const auto floats = [&](const std::string& object, std::int64_t rows, std::string& checksum) {
    std::vector<float> values;
    begins.clear();
    checksum = reader.read_float_blocks(object, rows, [&](std::int64_t begin, std::span<const float> block) {
      begins.push_back(begin);
      values.insert(values.end(), block.begin(), block.end());
    });
    return values;
  };
  std::string checksum;
  EXPECT_THAT(floats("/f16", 2, checksum), ElementsAre(1.0F, -2.0F, 0.5F, 65504.0F, 0x1p-24F, 3.0F));
  EXPECT_THAT(begins, ElementsAre(0, 2));
  EXPECT_EQ(checksum, sha256(halves));
  EXPECT_THAT(floats("/bf16", 9, checksum), ElementsAre(1.0F, -3.0F));
  EXPECT_THAT(floats("/f32", 1, checksum), ElementsAre(1.5F, -2.5F));
  EXPECT_THAT(floats("/f64", 1, checksum), ElementsAre(0.1F, -std::numeric_limits<float>::infinity()));
  EXPECT_THAT(floats("/none", 1, checksum), IsEmpty());
  EXPECT_THAT(error_of<DataError>([&] { (void)floats("/i32", 1, checksum); }),
              AllOf(HasSubstr("/i32"), HasSubstr("i32"), HasSubstr("floating-point")));
  EXPECT_THAT(error_of<DataError>([&] { (void)floats("/one", 1, checksum); }), HasSubstr("single number"));
}

TEST_F(Hdf5, FloatBlocksAreChecked) {
  Hdf5Writer writer(path());
  writer.write("/x", std::vector<float>{1, 2, 3});
  writer.attribute("/x", "sha256", std::string(64, '0'));
  writer.commit();
  EXPECT_THAT(error_of<InputOutputError>([&] {
                (void)Hdf5Reader(path()).read_float_blocks("/x", 2,
                                                           [](std::int64_t, std::span<const float>) {});
              }),
              AllOf(HasSubstr("/x"), HasSubstr("sha256")));
}

TEST_F(Hdf5, FilesSayWhoWroteThemAndWhatTheyAre) {
  Hdf5Writer(path()).commit();
  EXPECT_EQ(Hdf5Reader(path()).text_attribute("/", "writer"), "genrec_dist");
  EXPECT_TRUE(has_hdf5_signature(path()));
  write_file_atomically(path(), "{\"0\": [\"<a_1>\"]}");
  EXPECT_FALSE(has_hdf5_signature(path()));
  write_file_atomically(path(), "");
  EXPECT_FALSE(has_hdf5_signature(path()));
  EXPECT_FALSE(has_hdf5_signature(folder_.path()));
  EXPECT_FALSE(has_hdf5_signature(folder_.path() / "absent"));
}

TEST_F(Hdf5, StringsOfVeryDifferentLengths) {
  std::vector<std::string> words(3000, "short");
  words[1] = std::string(5000, 'x');
  words[2] = "";
  Hdf5Writer writer(path());
  writer.write_strings("/words", words);
  writer.commit();
  EXPECT_LT(fs::file_size(path()), 1000000U);
  EXPECT_EQ(Hdf5Reader(path()).read_strings("/words"), words);
  EXPECT_THAT(Hdf5Reader(path()).verify(), IsEmpty());
}

TEST_F(Hdf5, WrongQuestionsAreDataErrors) {
  Hdf5Writer writer(path());
  writer.write("/numbers", std::vector<float>{1, 2});
  writer.write_strings("/words", {"a", "b"});
  writer.commit();
  const Hdf5Reader reader(path());
  EXPECT_TRUE(reader.has("/numbers"));
  EXPECT_TRUE(reader.has("/"));
  EXPECT_FALSE(reader.has("/no/such/thing"));
  EXPECT_THAT(error_of<DataError>([&] { (void)reader.read("/no/such"); }),
              AllOf(HasSubstr("/no/such"), HasSubstr(path().string())));
  EXPECT_THAT(error_of<DataError>([&] { (void)reader.read<double>("/numbers"); }),
              AllOf(HasSubstr("f32"), HasSubstr("f64"), HasSubstr("/numbers")));
  EXPECT_THAT(error_of<DataError>([&] { (void)reader.read<float>("/words"); }), HasSubstr("/words"));
  EXPECT_THAT(error_of<DataError>([&] { (void)reader.read_strings("/numbers"); }), HasSubstr("/numbers"));
  EXPECT_THAT(error_of<DataError>([&] { (void)reader.read_text("/words"); }), HasSubstr("2 strings"));
  EXPECT_THAT(error_of<DataError>([&] { (void)reader.read("/"); }), HasSubstr("group"));
  EXPECT_THAT(error_of<DataError>([&] { (void)reader.integer_attribute("/", "absent"); }),
              HasSubstr("absent"));
  EXPECT_THAT(error_of<DataError>([&] { (void)reader.text_attribute("/", "complete"); }),
              HasSubstr("complete"));
  EXPECT_THAT(error_of<DataError>([&] { (void)reader.integer_attribute("/words", "sha256"); }),
              HasSubstr("sha256"));
}

TEST_F(Hdf5, WrongWritesAreRefused) {
  Hdf5Writer writer(path());
  writer.write("/x", std::vector<float>{1, 2});
  EXPECT_THAT(error_of<InputOutputError>([&] { writer.write("/x", std::vector<float>{1}); }),
              AllOf(HasSubstr("/x"), HasSubstr("exists")));
  EXPECT_THAT(error_of<DataError>([&] { writer.write_text("/t", std::string_view("a\0b", 3)); }),
              HasSubstr("/t"));
  EXPECT_THROW(writer.write<float>("/y", std::span<const float>(), {3}), Error);
}

TEST_F(Hdf5, WithoutCommitNothingChanges) {
  {
    Hdf5Writer writer(path());
    writer.write("/x", std::vector<float>{1});
    writer.commit();
  }
  const std::string before = read_text_file(path());
  {
    Hdf5Writer writer(path());
    writer.write("/x", std::vector<float>(100000, 2.0F));
    EXPECT_EQ(read_text_file(path()), before);
  }
  EXPECT_EQ(read_text_file(path()), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST_F(Hdf5, EqualContentGivesEqualFiles) {
  const auto write = [&](const char* name) {
    Hdf5Writer writer(folder_.path() / name);
    writer.write("/a/b", std::vector<float>{1});
    writer.write_strings("/c", {"x"});
    writer.commit();
    return read_text_file(folder_.path() / name);
  };
  EXPECT_EQ(write("one"), write("two"));
}

TEST_F(Hdf5, ALeftoverIsUsedAgainAndALiveOneIsNot) {
  write_file_atomically(path().string() + ".partial", std::string(100000, 'x'));
  {
    Hdf5Writer writer(path());
    writer.write("/x", std::vector<float>{1});
    EXPECT_THAT(error_of<InputOutputError>([&] { const Hdf5Writer second(path()); }),
                HasSubstr("another process"));
    writer.commit();
  }
  EXPECT_THAT(Hdf5Reader(path()).verify(), IsEmpty());
  EXPECT_LT(fs::file_size(path()), 100000U);
}

TEST_F(Hdf5, ALockedFileNamesTheRemedy) {
  Hdf5Writer(path()).commit();
  const int file = ::open(path().c_str(), O_RDWR);
  ASSERT_EQ(::flock(file, LOCK_EX), 0);
  EXPECT_THAT(error_of<InputOutputError>([&] { const Hdf5Reader reader(path()); }),
              AllOf(HasSubstr("HDF5_USE_FILE_LOCKING=FALSE"), HasSubstr(path().string())));
  ::close(file);
}

TEST_F(Hdf5, PathsThatAreNoFiles) {
  EXPECT_THAT(error_of<MissingInput>([&] { const Hdf5Reader reader(path()); }), HasSubstr("x.h5"));
  EXPECT_THAT(error_of<InputOutputError>([&] { const Hdf5Reader reader(folder_.path()); }),
              HasSubstr("folder"));
  EXPECT_THAT(error_of<InputOutputError>([&] { const Hdf5Writer writer(folder_.path() / "no" / "x.h5"); }),
              HasSubstr("create the folder"));
  write_file_atomically(path(), "this is text");
  EXPECT_THAT(error_of<InputOutputError>([&] { const Hdf5Reader reader(path()); }), HasSubstr("signature"));
  write_file_atomically(path(), "");
  EXPECT_THAT(error_of<InputOutputError>([&] { const Hdf5Reader reader(path()); }), HasSubstr("x.h5"));
}

}  // namespace
}  // namespace genrec
