#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/error.h"
#include "support.h"

namespace genrec {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr const char* kStamp = "[0-9]+-[0-9]+-[0-9]+ [0-9]+:[0-9]+:[0-9]+ ";

std::string content(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

TEST(Log, RankZeroSaysInfoOnStderr) {
  ::testing::internal::CaptureStderr();
  {
    const Logging logging(0);
    LOG(INFO) << "hello " << 42;
    LOG_ROOT(INFO) << "root";
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              MatchesRegex(kStamp + std::string("I \\[0\\] hello 42\n") + kStamp + "I \\[0\\] root\n"));
}

TEST(Log, OtherRanksSayOnlyErrorsOnStderrAndAllInTheirFile) {
  const test::TemporaryFolder folder;
  ::testing::internal::CaptureStderr();
  {
    Logging logging(12);
    EXPECT_EQ(log_rank(), 12);
    logging.open_file(folder.path() / "logs");
    LOG(INFO) << "quiet";
    LOG(WARNING) << "careful";
    LOG(ERROR) << "loud";
    LOG_ROOT(ERROR) << "not mine";
    // Every line is in the file at once.
    EXPECT_THAT(content(folder.path() / "logs" / "rank-0012.log"),
                MatchesRegex(kStamp + std::string("I \\[12\\] quiet\n") + kStamp + "W \\[12\\] careful\n" +
                             kStamp + "E \\[12\\] loud\n"));
  }
  EXPECT_EQ(log_rank(), 0);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              MatchesRegex(kStamp + std::string("E \\[12\\] loud\n")));
}

TEST(Log, FileIsAppended) {
  const test::TemporaryFolder folder;
  ::testing::internal::CaptureStderr();
  for (const char* text : {"first run", "second run"}) {
    Logging logging(0);
    logging.open_file(folder.path());
    LOG(INFO) << text;
  }
  ::testing::internal::GetCapturedStderr();
  const std::string all = content(folder.path() / "rank-0000.log");
  EXPECT_THAT(all, HasSubstr("first run\n"));
  EXPECT_THAT(all, HasSubstr("second run\n"));
  // Nothing but our own file: glog's are off.
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  EXPECT_EQ(files, 1);
}

TEST(Log, FolderThatCannotBeMade) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  Logging logging(0);
  EXPECT_THROW(logging.open_file(folder.path() / "file" / "logs"), InputOutputError);
}

}  // namespace
}  // namespace genrec
