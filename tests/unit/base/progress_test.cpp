#include "base/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/error.h"

namespace genrec {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ProgressTest : public ::testing::Test {
 protected:
  Progress make(ProgressMode mode, int rank = 0, bool is_terminal = false) {
    return Progress(mode, rank, out_, is_terminal, 30.0, [this] { return now_; });
  }
  std::string taken() {
    std::string text = out_.str();
    out_.str("");
    return text;
  }
  std::ostringstream out_;
  double now_ = 1000;
};

TEST_F(ProgressTest, WordsBecomeModes) {
  EXPECT_EQ(progress_mode("auto"), ProgressMode::kAuto);
  EXPECT_EQ(progress_mode("bar"), ProgressMode::kBar);
  EXPECT_EQ(progress_mode("line"), ProgressMode::kLine);
  EXPECT_EQ(progress_mode("none"), ProgressMode::kNone);
  EXPECT_THROW(progress_mode("fancy"), UsageError);
}

TEST_F(ProgressTest, DurationsReadWell) {
  EXPECT_EQ(duration_text(0.2), "0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(245), "4:05 min");
  EXPECT_EQ(duration_text(2 * 3600 + 3 * 60 + 9), "2:03:09 h");
}

TEST_F(ProgressTest, OneLinePerInterval) {
  auto progress = make(ProgressMode::kAuto);
  progress.start("warm-up", 1000, "samples");
  now_ += 29;
  progress.update(100, "loss 3.21");
  EXPECT_EQ(taken(), "");
  now_ += 11;
  progress.update(200, "loss 3.11");
  EXPECT_EQ(taken(), "warm-up: 200/1000 samples (20 %), 5.00 samples/s, left 2:40 min, loss 3.11\n");
  progress.update(201);
  EXPECT_EQ(taken(), "");
  now_ += 60;
  progress.update(1000);
  progress.finish();
  EXPECT_EQ(taken(),
            "warm-up: 1000/1000 samples (100 %), 10.0 samples/s, loss 3.11\n"
            "warm-up: 1000 samples in 1:40 min, 10.0 samples/s, loss 3.11\n");
}

TEST_F(ProgressTest, WorkOfAnEarlierRunCountsForNoRate) {
  auto progress = make(ProgressMode::kLine);
  progress.start("training", 1000, "steps", 900);
  now_ += 50;
  progress.update(950);
  EXPECT_EQ(taken(), "training: 950/1000 steps (95 %), 1.00 steps/s, left 50 s\n");
  progress.finish();
  EXPECT_EQ(taken(), "training: 50 steps in 50 s, 1.00 steps/s, 950 in all\n");
}

TEST_F(ProgressTest, NothingIsSaidWhereNothingWasLeft) {
  auto progress = make(ProgressMode::kLine);
  progress.start("training", 1000, "steps", 1000);
  progress.finish();
  EXPECT_EQ(taken(), "");
  progress.start("regenerate", 0, "items");
  progress.finish();
  EXPECT_EQ(taken(), "regenerate: 0 items in 0 s\n");
}

TEST_F(ProgressTest, BarIsRedrawnAndWiped) {
  auto progress = make(ProgressMode::kAuto, 0, true);
  progress.start("decoding", 48, "users");
  EXPECT_TRUE(bar_on_screen);
  taken();
  now_ += 1;
  progress.update(24);
  const std::string bar = taken();
  EXPECT_THAT(bar, HasSubstr("[############............] 24/48 users (50 %)"));
  EXPECT_THAT(bar, HasSubstr("\r\x1b[K"));
  EXPECT_THAT(bar, Not(HasSubstr("\n")));
  progress.finish();
  EXPECT_FALSE(bar_on_screen);
  EXPECT_EQ(taken(), "\r\x1b[Kdecoding: 24 users in 1 s, 24.0 users/s\n");
}

TEST_F(ProgressTest, UnknownTotalShowsNoShare) {
  auto progress = make(ProgressMode::kLine);
  progress.start("reading", 0, "lines");
  now_ += 31;
  progress.update(62);
  EXPECT_EQ(taken(), "reading: 62 lines, 2.00 lines/s\n");
}

TEST_F(ProgressTest, OtherRanksAndNoneAreSilent) {
  for (auto [mode, rank] : {std::pair(ProgressMode::kLine, 1), std::pair(ProgressMode::kNone, 0)}) {
    auto progress = make(mode, rank, true);
    progress.start("stage", 10, "steps");
    now_ += 100;
    progress.update(5);
    progress.finish();
    EXPECT_EQ(taken(), "");
  }
}

}  // namespace
}  // namespace genrec
