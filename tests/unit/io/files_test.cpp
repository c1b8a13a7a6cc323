#include "io/files.h"

#include <gmock/gmock.h>

#include <fstream>

#include "expect_error.h"
#include "full_disk.h"
#include "support.h"

namespace genrec {
namespace {

using test::error_of;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::int64_t entries(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

TEST(Files, WritesAndReplaces) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "a.txt";
  write_file_atomically(path, std::string("one\0two", 7));
  EXPECT_EQ(read_text_file(path), std::string("one\0two", 7));
  write_file_atomically(path, "");
  EXPECT_EQ(read_text_file(path), "");
  EXPECT_EQ(entries(folder.path()), 1);
  EXPECT_NE(fs::status(path).permissions() & fs::perms::owner_read, fs::perms::none);
}

TEST(Files, MissingAndWrongPaths) {
  const test::TemporaryFolder folder;
  EXPECT_THAT(error_of<MissingInput>([&] { (void)read_text_file(folder.path() / "absent"); }),
              HasSubstr("absent"));
  EXPECT_THAT(error_of<InputOutputError>([&] { (void)read_text_file(folder.path()); }), HasSubstr("folder"));
  EXPECT_THAT(error_of<InputOutputError>([&] { write_file_atomically(folder.path() / "no" / "x", "x"); }),
              HasSubstr("create the folder"));
  EXPECT_THAT(error_of<InputOutputError>([&] { sync_path(folder.path() / "absent"); }), HasSubstr("absent"));
}

TEST(Files, FullDiskKeepsTheOldFile) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "a.txt";
  write_file_atomically(path, "old");
  std::string error;
  {
    const test::FullDisk full(1000);
    error = error_of<InputOutputError>([&] { write_file_atomically(path, std::string(5000, 'x')); });
  }
  EXPECT_THAT(error, HasSubstr(path.string()));
  EXPECT_THAT(error, HasSubstr("free space"));
  EXPECT_EQ(read_text_file(path), "old");
  EXPECT_EQ(entries(folder.path()), 1);
}

TEST(Files, LinksAreReplaced) {
  const test::TemporaryFolder folder;
  write_file_atomically(folder.path() / "one", "1");
  write_file_atomically(folder.path() / "two", "2");
  replace_link(folder.path() / "last", "one");
  EXPECT_EQ(read_text_file(folder.path() / "last"), "1");
  replace_link(folder.path() / "last", "two");
  EXPECT_EQ(read_text_file(folder.path() / "last"), "2");
  EXPECT_EQ(fs::read_symlink(folder.path() / "last"), "two");
  EXPECT_EQ(entries(folder.path()), 3);
}

}  // namespace
}  // namespace genrec
