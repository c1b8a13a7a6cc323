#include "io/sha256.h"

#include <gtest/gtest.h>

#include "io/files.h"
#include "support.h"

namespace genrec {
namespace {

// The examples of FIPS 180-2, appendix B.
constexpr char kOfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kOfNothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kOfMillionA[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, KnownValues) {
  EXPECT_EQ(sha256({}), kOfNothing);
  Sha256 parts;
  parts.update("a");
  parts.update("");
  parts.update("bc");
  EXPECT_EQ(parts.finish(), kOfAbc);
}

TEST(Sha256, OfAFile) {
  const test::TemporaryFolder folder;
  write_file_atomically(folder.path() / "a", std::string(1000000, 'a'));
  EXPECT_EQ(sha256_file(folder.path() / "a"), kOfMillionA);
}

}  // namespace
}  // namespace genrec
