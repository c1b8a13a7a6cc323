#include "io/folder_lock.h"

#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "base/error.h"
#include "support.h"

namespace genrec {
namespace {

TEST(FolderLock, KeepsASecondOneOut) {
  const test::TemporaryFolder folder;
  FolderLock first(folder.path(), 0);
  try {
    const FolderLock second(folder.path(), 0);
    FAIL() << "two locks of one folder";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("--run.dir"));
  }
  FolderLock moved = std::move(first);
  EXPECT_THROW(FolderLock(folder.path(), 0), UsageError);
  moved = FolderLock();
  EXPECT_NO_THROW(FolderLock(folder.path(), 0));
}

TEST(FolderLock, WaitsForOneThatIsLeaving) {
  const test::TemporaryFolder folder;
  std::thread leaving([&, first = FolderLock(folder.path(), 0)]() mutable {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    first = FolderLock();
  });
  EXPECT_NO_THROW(FolderLock(folder.path(), 20));
  leaving.join();
}

}  // namespace
}  // namespace genrec
