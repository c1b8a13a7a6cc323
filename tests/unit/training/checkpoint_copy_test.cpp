// Run folders that were copied by something that knows no links.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "small_world.h"
#include "support.h"
#include "training/checkpoint_folder.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

CheckpointState state_of(std::int64_t step, const std::string& stage = "train") {
  CheckpointState state;
  state.dataset = "Small";
  state.fingerprint = "print";
  state.stage = stage;
  state.step = step;
  const std::vector<float> values = {static_cast<float>(step), 1.5F};
  state.model["shared.weight"] = HostArray::of<float>(std::span<const float>(values), {2, 1});
  state.identifiers = test::SmallWorld::make_table();
  return state;
}

class CheckpointCopy : public ::testing::Test {
 protected:
  /// Steps 10 (best), 20 (prev) and 30 (last).
  void make_run() {
    CheckpointFolder run = open(original_, 9);
    run.save(state_of(10));
    run.mark_best();
    run.save(state_of(20));
    run.save(state_of(30));
  }
  CheckpointFolder open(const fs::path& folder, std::int64_t keep = 0) { return {folder, keep, *world_}; }
  CheckpointFolder open_copy() { return open(copy_); }

  enum class What { kEverything, kLinksAlone, kFilesAlone };
  /// As `cp -rL` and scp do: what links point at is copied in their place.
  void copy(What what) const {
    fs::create_directories(copy_);
    for (const auto& entry : fs::directory_iterator(original_)) {
      const bool is_link = entry.is_symlink();
      if (what == What::kLinksAlone && !is_link) continue;
      if (what == What::kFilesAlone && is_link) continue;
      fs::copy_file(entry.path(), copy_ / entry.path().filename());
    }
  }
  void halve(const std::string& name) const {
    fs::resize_file(copy_ / name, fs::file_size(copy_ / name) / 2);
  }
  [[nodiscard]] fs::path target(const std::string& link) const { return fs::read_symlink(copy_ / link); }
  [[nodiscard]] CheckpointState read(const std::string& name) const { return read_checkpoint(copy_ / name); }
  [[nodiscard]] bool has(const std::string& name) const { return fs::exists(copy_ / name); }

  test::TemporaryFolder temporary_;
  std::unique_ptr<Communicator> world_ = make_single_communicator();
  const fs::path original_ = temporary_.path() / "original";
  const fs::path copy_ = temporary_.path() / "copy";
};

TEST_F(CheckpointCopy, FilesInThePlaceOfLinksGoOn) {
  for (const What what : {What::kEverything, What::kLinksAlone}) {
    make_run();
    copy(what);
    CheckpointFolder folder = open_copy();
    EXPECT_TRUE(folder.holds_run());
    const auto state = folder.load_last("print", "Small");
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(state->step, 30);
    folder.save(state_of(40));
    EXPECT_EQ(target("last"), "step-00000040.h5");
    EXPECT_EQ(target("prev"), "step-00000030.h5");
    EXPECT_EQ(read("last").step, 40);
    EXPECT_EQ(read("prev").step, 30);
    EXPECT_EQ(folder.load("best").step, 10);
    fs::remove_all(copy_);
    fs::remove_all(original_);
  }
}

TEST_F(CheckpointCopy, SavingAtOnceLosesNothing) {
  make_run();
  copy(What::kLinksAlone);
  CheckpointFolder folder = open_copy();
  folder.save(state_of(40));
  EXPECT_EQ(read("last").step, 40);
  EXPECT_EQ(read("prev").step, 30);
  EXPECT_EQ(read("best").step, 10);
  EXPECT_EQ(read("step-00000030.h5").step, 30);
}

TEST_F(CheckpointCopy, TheBestMarkedAfterwardsStaysWhatItWas) {
  make_run();
  copy(What::kEverything);
  CheckpointFolder folder = open_copy();
  folder.mark_best();
  folder.save(state_of(40));
  EXPECT_EQ(target("best"), "step-00000030.h5");
  EXPECT_EQ(read("best").step, 30);
}

TEST_F(CheckpointCopy, StatesOfOneStepStayApart) {
  CheckpointFolder run = open(original_);
  run.save(state_of(20, "first"));
  run.mark_best();
  run.save(state_of(20, "second"));
  copy(What::kEverything);
  CheckpointFolder folder = open_copy();
  EXPECT_EQ(folder.load_last("print", "Small")->stage, "second");
  folder.save(state_of(30));
  EXPECT_EQ(read("prev").stage, "second");
  EXPECT_EQ(read("best").stage, "first");
}

TEST_F(CheckpointCopy, ADamagedFileInThePlaceOfLastIsKept) {
  for (const What what : {What::kEverything, What::kLinksAlone}) {
    make_run();
    copy(what);
    halve("last");
    CheckpointFolder folder = open_copy();
    EXPECT_TRUE(folder.holds_run());
    // Where the file that it was copied from is there, that one is taken.
    const std::int64_t newest = what == What::kEverything ? 30 : 20;
    EXPECT_EQ(folder.load_last("print", "Small")->step, newest);
    EXPECT_TRUE(has("last.damaged"));
    folder.save(state_of(newest + 5));
    EXPECT_EQ(read("last").step, newest + 5);
    EXPECT_EQ(read("prev").step, newest);
    EXPECT_EQ(read("best").step, 10);
    fs::remove_all(copy_);
    fs::remove_all(original_);
  }
}

TEST_F(CheckpointCopy, WithoutLinksTheNewestSoundFileIsTaken) {
  make_run();
  copy(What::kFilesAlone);
  halve("step-00000030.h5");
  CheckpointFolder folder = open_copy();
  EXPECT_TRUE(folder.holds_run());
  const auto state = folder.load_last("print", "Small");
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->step, 20);
  EXPECT_EQ(target("last"), "step-00000020.h5");
  folder.save(state_of(25));
  EXPECT_EQ(read("last").step, 25);
  EXPECT_EQ(read("prev").step, 20);
  // One of them may have been the best.
  EXPECT_TRUE(has("step-00000010.h5"));
  EXPECT_TRUE(has("step-00000030.h5"));
}

TEST_F(CheckpointCopy, ANumberOfNineDigitsIsNewerThanOneOfEight) {
  CheckpointFolder run = open(original_, 9);
  run.save(state_of(99999999));
  run.save(state_of(100000000));
  copy(What::kFilesAlone);
  EXPECT_EQ(open_copy().load_last("print", "Small")->step, 100000000);
}

TEST_F(CheckpointCopy, WithoutLinksAndASoundFileNothingIsOverwritten) {
  make_run();
  copy(What::kFilesAlone);
  for (const char* name : {"step-00000010.h5", "step-00000020.h5", "step-00000030.h5"}) halve(name);
  CheckpointFolder folder = open_copy();
  EXPECT_TRUE(folder.holds_run());
  try {
    (void)folder.load_last("print", "Small");
    FAIL();
  } catch (const InputOutputError& error) {
    EXPECT_NE(std::string(error.what()).find("none of its 3 checkpoints is sound"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("step-00000030.h5"), std::string::npos);
  }
  EXPECT_TRUE(has("step-00000010.h5"));
}

}  // namespace
}  // namespace genrec
