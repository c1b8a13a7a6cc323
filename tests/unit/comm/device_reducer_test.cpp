#include "comm/device_reducer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace genrec {
namespace {

TEST(DeviceReducer, SaysWhetherThisBuildHasNccl) {
  const std::string version = nccl_version();
  if (!version.empty()) {
    EXPECT_THAT(version, ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
    GTEST_SKIP() << "SKIPPED: this build has NCCL " << version << "; its absence cannot be tested";
  }
  const auto world = make_single_communicator();
  try {
    (void)make_nccl_reducer(*world, 0);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("--run.comm mpi"));
  }
}

}  // namespace
}  // namespace genrec
