#include <dirent.h>
#include <gmock/gmock.h>
#include <hdf5.h>

#include <fstream>

#include "expect_error.h"
#include "full_disk.h"
#include "io/files.h"
#include "io/hdf5.h"
#include "support.h"

/// The library does not free all that it has read of a damaged file before it gives up.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

namespace genrec {
namespace {

using test::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

const std::vector<std::int32_t> kNumbers{0x11223344, 0x55667788, 0x1a2b3c4d};

class Hdf5Damage : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path() const { return folder_.path() / "x.h5"; }
  void write_small() const {
    Hdf5Writer writer(path());
    writer.write("/model/numbers", kNumbers);
    writer.write("/model/other", std::vector<float>{1, 2});
    writer.write_strings("/words", {"precious", "text"});
    writer.write_text("/config", "[run]");
    writer.attribute("/model", "writer", std::string("test"));
    // Many links in a group are stored in another way than a few.
    for (int i = 0; i < 12; ++i) writer.write("/many/x" + std::to_string(i), kNumbers);
    writer.commit();
  }
  std::int64_t entries() const {
    return std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator());
  }
  test::TemporaryFolder folder_;
};

TEST_F(Hdf5Damage, AFlippedByteIsFound) {
  write_small();
  std::string bytes = read_text_file(path());
  const std::size_t place = bytes.find("\x44\x33\x22\x11");
  ASSERT_NE(place, bytes.npos);
  bytes[place + 5] = static_cast<char>(bytes[place + 5] ^ 0x10);
  write_file_atomically(path(), bytes);

  const Hdf5Reader reader(path());
  EXPECT_THAT(error_of<InputOutputError>([&] { (void)reader.read("/model/numbers"); }),
              AllOf(HasSubstr("/model/numbers"), HasSubstr("sha256"), HasSubstr(path().string())));
  EXPECT_THROW((void)reader.read<std::int32_t>("/model/numbers"), InputOutputError);
  EXPECT_THAT(error_of<InputOutputError>([&] {
                reader.read_blocks<std::int32_t>("/model/numbers", 2,
                                                 [](std::int64_t, std::span<const std::int32_t>) {});
              }),
              AllOf(HasSubstr("/model/numbers"), HasSubstr("sha256"), HasSubstr(path().string())));
  EXPECT_EQ(reader.read<float>("/model/other").size(), 2U);
  EXPECT_THAT(reader.verify(), ElementsAre(HasSubstr("/model/numbers")));
}

TEST_F(Hdf5Damage, AFlippedLetterIsFound) {
  write_small();
  std::string bytes = read_text_file(path());
  bytes[bytes.find("precious")] = 'P';
  write_file_atomically(path(), bytes);
  const Hdf5Reader reader(path());
  EXPECT_THAT(error_of<InputOutputError>([&] { (void)reader.read_strings("/words"); }), HasSubstr("/words"));
  EXPECT_THAT(reader.verify(), ElementsAre(HasSubstr("/words")));
}

/// As another program would, takes an attribute away.
void remove_attribute(const fs::path& path, const char* object, const char* name) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  EXPECT_GE(H5Adelete_by_name(file, object, name, H5P_DEFAULT), 0);
  EXPECT_GE(H5Fclose(file), 0);
}

TEST_F(Hdf5Damage, AMissingChecksumIsAFaultInOurFilesOnly) {
  write_small();
  const Hdf5Checksums whole = Hdf5Reader(path()).check_checksums();
  EXPECT_EQ(whole.checked, 16);
  EXPECT_EQ(whole.unchecked, 0);
  EXPECT_THAT(whole.faults, IsEmpty());

  remove_attribute(path(), "/model/other", "sha256");
  const Hdf5Checksums lost = Hdf5Reader(path()).check_checksums();
  EXPECT_EQ(lost.checked, 15);
  EXPECT_EQ(lost.unchecked, 1);
  EXPECT_THAT(lost.faults, ElementsAre(AllOf(HasSubstr("/model/other"), HasSubstr(path().string()))));

  remove_attribute(path(), "/", "writer");
  const Hdf5Checksums foreign = Hdf5Reader(path()).check_checksums();
  EXPECT_EQ(foreign.checked, 15);
  EXPECT_EQ(foreign.unchecked, 1);
  EXPECT_THAT(foreign.faults, IsEmpty());
}

/// Whichever byte of the file is damaged, reading gives what was written or an error: never something else.
TEST_F(Hdf5Damage, NoDamagedByteGoesUnseen) {
  write_small();
  const std::string good = read_text_file(path());
  const fs::path damaged = folder_.path() / "damaged.h5";
  write_file_atomically(damaged, good);
  std::fstream file(damaged, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](std::size_t place, char byte) {
    file.seekp(static_cast<std::streamoff>(place));
    file.put(byte).flush();
  };
  std::int64_t found = 0;
  for (std::size_t place = 0; place < good.size(); ++place) {
    put(place, static_cast<char>(good[place] ^ (1 << (place % 8))));
    try {
      const Hdf5Reader reader(damaged);
      EXPECT_EQ(reader.integer_attribute("/", "complete"), 1);
      EXPECT_EQ(reader.read<std::int32_t>("/model/numbers"), kNumbers) << place;
      EXPECT_THAT(reader.read<float>("/model/other"), ElementsAre(1.0F, 2.0F)) << place;
      EXPECT_THAT(reader.read_strings("/words"), ElementsAre("precious", "text")) << place;
      EXPECT_EQ(reader.read_text("/config"), "[run]") << place;
      EXPECT_EQ(reader.text_attribute("/model", "writer"), "test") << place;
      EXPECT_EQ(reader.read<std::int32_t>("/many/x11"), kNumbers) << place;
      EXPECT_EQ(reader.datasets().size(), 16U) << place;
    } catch (const Error&) {
      ++found;
    }
    put(place, good[place]);
  }
  EXPECT_GT(found, static_cast<std::int64_t>(good.size() / 4)) << "most bytes matter";
}

TEST_F(Hdf5Damage, TruncatedFilesAreRefused) {
  write_small();
  const std::string good = read_text_file(path());
  for (const std::size_t size : {good.size() - 1, good.size() / 2, std::size_t{100}, std::size_t{9}}) {
    write_file_atomically(path(), good.substr(0, size));
    EXPECT_THAT(error_of<InputOutputError>([&] { const Hdf5Reader reader(path()); }),
                HasSubstr(path().string()))
        << size;
  }
}

TEST_F(Hdf5Damage, AnUnfinishedFileIsRefused) {
  hid_t file = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute = H5Acreate2(file, "complete", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
  const std::int64_t no = 0;
  H5Awrite(attribute, H5T_NATIVE_INT64, &no);
  H5Aclose(attribute);
  H5Fclose(file);
  EXPECT_THAT(error_of<InputOutputError>([&] { const Hdf5Reader reader(path()); }),
              AllOf(HasSubstr("to its end"), HasSubstr(path().string())));
  file = H5Fopen(path().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Adelete(file, "complete");
  H5Fclose(file);
  H5Sclose(space);
  EXPECT_NO_THROW({ const Hdf5Reader foreign(path()); });
}

std::int64_t open_files() {
  DIR* folder = opendir("/proc/self/fd");
  std::int64_t count = 0;
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

/// Runs `fill` on a writer over an existing file while no file may exceed `limit` bytes.
template <typename Fill>
void expect_old_file_survives(const fs::path& path, rlim_t limit, Fill fill) {
  {
    Hdf5Writer writer(path);
    writer.write("/old", kNumbers);
    writer.commit();
  }
  const std::string before = read_text_file(path);
  const std::int64_t descriptors = open_files();
  std::string error;
  {
    const test::FullDisk full(limit);
    error = error_of<InputOutputError>([&] {
      Hdf5Writer writer(path);
      fill(writer);
      writer.commit();
    });
  }
  EXPECT_THAT(error, AllOf(HasSubstr(path.string()), HasSubstr("free space")));
  EXPECT_EQ(read_text_file(path), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), fs::directory_iterator()), 1);
  EXPECT_EQ(open_files(), descriptors) << "the file was not closed: its space is not given back";
  EXPECT_THAT(Hdf5Reader(path).verify(), IsEmpty());
}

TEST_F(Hdf5Damage, FullDiskInALargeDataset) {
  expect_old_file_survives(path(), 1 << 20, [](Hdf5Writer& writer) {
    for (int i = 0; i < 5; ++i) writer.write("/x" + std::to_string(i), std::vector<float>(100000, 1.0F));
  });
}

TEST_F(Hdf5Damage, FullDiskAmongManySmallObjects) {
  expect_old_file_survives(path(), 100000, [](Hdf5Writer& writer) {
    for (int i = 0; i < 2000; ++i) writer.write("/group/x" + std::to_string(i), std::vector<float>(10, 1.0F));
  });
}

TEST_F(Hdf5Damage, FullDiskOnlyAtTheEnd) {
  // The library keeps so little content to itself until the file is closed.
  expect_old_file_survives(path(), 300,
                           [](Hdf5Writer& writer) { writer.write("/x", std::vector<float>{1}); });
}

}  // namespace
}  // namespace genrec
