#include "training/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "io/files.h"
#include "io/hdf5.h"
#include "small_world.h"
#include "support.h"
#include "training/checkpoint_folder.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

HostArray array_of(std::vector<float> values, std::vector<std::int64_t> shape) {
  return HostArray::of<float>(std::span<const float>(values), std::move(shape));
}

CheckpointState sample_state(std::int64_t step) {
  CheckpointState state;
  state.dataset = "Small";
  state.fingerprint = std::string(64, 'f');
  state.git = "abc123";
  state.config = "[run]\nseed = 7\n";
  state.seed = 0xfedcba9876543210ULL;
  state.step = step;
  state.stage = "fine-tune";
  state.iteration = 2;
  state.position = {3, 4, 25};
  state.loop = R"({"records": [1, 2]})";
  state.model_config = R"({"d_model": 2})";
  const auto s = static_cast<float>(step);
  state.model = {
      {"encoder.block.0.layer.0.SelfAttention.q.weight", array_of({s, 1.5F, -0.0F, 1e-40F}, {2, 2})},
      {"shared.weight", array_of({s + 0.1F, 3, 4}, {3, 1})}};
  state.aligned = {{"shared.weight", array_of({9, 8, 7}, {3, 1})}};
  state.optimizer = OptimizerState{25,
                                   {{"shared.weight", array_of({0.1F, 0.2F, 0.3F}, {3, 1})}},
                                   {{"shared.weight", array_of({1e-8F, 2e-8F, 3e-8F}, {3, 1})}}};
  state.regenerated = 2;
  state.candidates = {{"confidence", array_of({-1, s}, {2})}};
  state.text_pieces = 3;
  state.spiece = std::string("a\0b\xff", 4);
  state.templates = {"What follows {H}?", "{H}"};
  state.vocabulary = {"<a_0>", "<b_0>", "<x_0>"};
  state.codebooks = array_of({1, 2, 3, 4, 5, 6, 7, s}, {2, 1, 4});
  state.identifiers = test::SmallWorld::make_table();
  state.history = {IdentifierTable::from_strings({{"<a_0>"}, {"<a_0>", "<b_1>"}}), state.identifiers};
  return state;
}

void expect_equal(const WeightMap& a, const WeightMap& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, array] : a) {
    ASSERT_TRUE(b.contains(name)) << name;
    EXPECT_EQ(array.type, b.at(name).type) << name;
    EXPECT_EQ(array.shape, b.at(name).shape) << name;
    EXPECT_EQ(array.bytes, b.at(name).bytes) << name;
  }
}

void expect_equal(const IdentifierTable& a, const IdentifierTable& b) {
  EXPECT_EQ(a.symbols(), b.symbols());
  EXPECT_EQ(a.offsets(), b.offsets());
  EXPECT_EQ(a.codes(), b.codes());
}

void expect_equal(const CheckpointState& a, const CheckpointState& b) {
  EXPECT_EQ(a.dataset, b.dataset);
  EXPECT_EQ(a.fingerprint, b.fingerprint);
  EXPECT_EQ(a.git, b.git);
  EXPECT_EQ(a.config, b.config);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.stage, b.stage);
  EXPECT_EQ(a.iteration, b.iteration);
  EXPECT_EQ(a.position, b.position);
  EXPECT_EQ(a.loop, b.loop);
  EXPECT_EQ(a.model_config, b.model_config);
  expect_equal(a.model, b.model);
  expect_equal(a.aligned, b.aligned);
  ASSERT_EQ(a.optimizer.has_value(), b.optimizer.has_value());
  if (a.optimizer) {
    EXPECT_EQ(a.optimizer->step, b.optimizer->step);
    expect_equal(a.optimizer->exp_avg, b.optimizer->exp_avg);
    expect_equal(a.optimizer->exp_avg_sq, b.optimizer->exp_avg_sq);
  }
  EXPECT_EQ(a.regenerated, b.regenerated);
  expect_equal(a.candidates, b.candidates);
  EXPECT_EQ(a.text_pieces, b.text_pieces);
  EXPECT_EQ(a.spiece, b.spiece);
  EXPECT_EQ(a.templates, b.templates);
  EXPECT_EQ(a.vocabulary, b.vocabulary);
  EXPECT_EQ(a.codebooks.shape, b.codebooks.shape);
  EXPECT_EQ(a.codebooks.bytes, b.codebooks.bytes);
  expect_equal(a.identifiers, b.identifiers);
  ASSERT_EQ(a.history.size(), b.history.size());
  for (std::size_t k = 0; k < a.history.size(); ++k) expect_equal(a.history[k], b.history[k]);
}

/// What was logged while it lives.
class LogRecorder : public google::LogSink {
 public:
  LogRecorder() { google::AddLogSink(this); }
  ~LogRecorder() override { google::RemoveLogSink(this); }
  void send(google::LogSeverity severity, const char*, const char*, int, const struct ::tm*,
            const char* message, std::size_t length) override {
    if (severity == google::GLOG_WARNING) warnings.append(message, length);
  }
  std::string warnings;
};

class CheckpointTest : public ::testing::Test {
 protected:
  test::TemporaryFolder temporary;
  std::unique_ptr<Communicator> world = make_single_communicator();
  const fs::path folder = temporary.path() / "checkpoints";
  const std::string fingerprint = std::string(64, 'f');

  CheckpointFolder open(std::int64_t keep = 3) { return {folder, keep, *world}; }
  std::optional<CheckpointState> load_last() { return open().load_last(fingerprint, "Small"); }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  void truncate(const std::string& name, double part) const {
    const fs::path path = folder / name;
    fs::resize_file(path, static_cast<std::uintmax_t>(static_cast<double>(fs::file_size(path)) * part));
  }
};

TEST_F(CheckpointTest, RoundTripIsExact) {
  const fs::path path = temporary.path() / "a.h5";
  const CheckpointState state = sample_state(17);
  write_checkpoint(path, state);
  expect_equal(read_checkpoint(path), state);

  CheckpointState bare;
  bare.dataset = "Bare";
  bare.stage = "warm-up";
  bare.identifiers = test::SmallWorld::make_table();
  write_checkpoint(path, bare);
  expect_equal(read_checkpoint(path), bare);
}

TEST_F(CheckpointTest, LayoutIsTheContracts) {
  const fs::path path = temporary.path() / "a.h5";
  write_checkpoint(path, sample_state(17));
  const Hdf5Reader file(path);
  for (const char* object :
       {"/model/shared.weight", "/aligned/shared.weight", "/optimizer/exp_avg/shared.weight",
        "/optimizer/exp_avg_sq/shared.weight", "/rng/seed", "/progress/stage", "/tokenizer/vocabulary",
        "/tokenizer/spiece", "/tokenizer/templates", "/tokenizer/codebooks/0", "/tokenizer/codebooks/1",
        "/items/identifiers", "/items/identifier_lengths", "/items/symbols",
        "/items/history/iteration_0/identifiers", "/items/history/iteration_1/symbols", "/config"}) {
    EXPECT_TRUE(file.has(object)) << object;
  }
  for (const char* name : {"schema_version", "writer", "git", "complete"}) {
    EXPECT_TRUE(file.has_attribute("/", name)) << name;
  }
  for (const std::string& object : file.datasets())
    EXPECT_TRUE(file.has_attribute(object, "sha256")) << object;
  EXPECT_TRUE(file.verify().empty());
}

TEST_F(CheckpointTest, EvaluationReadsTheModelAlone) {
  const fs::path path = temporary.path() / "a.h5";
  write_checkpoint(path, sample_state(17));
  const CheckpointState state = read_checkpoint(path, CheckpointParts::kModel);
  EXPECT_EQ(state.model.size(), 2U);
  EXPECT_EQ(state.identifiers.items(), test::SmallWorld::kItems);
  EXPECT_TRUE(state.aligned.empty());
  EXPECT_FALSE(state.optimizer.has_value());
}

TEST_F(CheckpointTest, RefusesForeignFiles) {
  const fs::path path = temporary.path() / "a.h5";
  EXPECT_THROW((void)read_checkpoint(path), MissingInput);
  write_file_atomically(path, "no HDF5 at all");
  EXPECT_THROW((void)read_checkpoint(path), InputOutputError);
  {
    Hdf5Writer file(path);
    file.write_text("/note", "another program's");
    file.commit();
  }
  EXPECT_THROW((void)read_checkpoint(path), DataError);
  {
    Hdf5Writer file(path);
    file.write_text("/progress/stage", "warm-up");
    file.attribute("/", "schema_version", std::int64_t{999});
    file.commit();
  }
  try {
    (void)read_checkpoint(path);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("999"), std::string::npos);
  }
}

TEST_F(CheckpointTest, AnEmptyFolderHasNoState) {
  EXPECT_FALSE(load_last().has_value());
  fs::create_directories(folder);
  EXPECT_FALSE(load_last().has_value());
}

TEST_F(CheckpointTest, LinksMoveAndOldFilesGo) {
  CheckpointFolder checkpoints = open(1);
  checkpoints.save(sample_state(10));
  EXPECT_EQ(files(), (std::vector<std::string>{"last", "step-00000010.h5"}));
  checkpoints.mark_best();
  for (std::int64_t step : {20, 30, 40, 50}) checkpoints.save(sample_state(step));
  EXPECT_EQ(files(), (std::vector<std::string>{"best", "last", "prev", "step-00000010.h5", "step-00000030.h5",
                                               "step-00000040.h5", "step-00000050.h5"}));
  EXPECT_EQ(fs::read_symlink(folder / "last"), "step-00000050.h5");
  EXPECT_EQ(fs::read_symlink(folder / "prev"), "step-00000040.h5");
  expect_equal(*load_last(), sample_state(50));
  expect_equal(checkpoints.load("best"), sample_state(10));
  expect_equal(checkpoints.load("prev"), sample_state(40));
}

TEST_F(CheckpointTest, ASecondStateOfTheSameStepReplacesTheFirstButNotTheBest) {
  CheckpointFolder checkpoints = open();
  checkpoints.save(sample_state(10));
  checkpoints.save(sample_state(20));
  CheckpointState second = sample_state(20);
  second.stage = "test";
  checkpoints.save(second);
  expect_equal(*load_last(), second);
  expect_equal(checkpoints.load("prev"), sample_state(10));
  checkpoints.mark_best();
  CheckpointState third = sample_state(20);
  third.stage = "done";
  checkpoints.save(third);
  expect_equal(*load_last(), third);
  expect_equal(checkpoints.load("best"), second);
  expect_equal(checkpoints.load("prev"), second);
}

TEST_F(CheckpointTest, ADamagedLastFallsBackToPrev) {
  for (double part : {0.0, 0.1, 0.5, 0.9, 0.999}) {
    CheckpointFolder checkpoints = open();
    checkpoints.save(sample_state(10));
    checkpoints.save(sample_state(20));
    truncate("step-00000020.h5", part);
    LogRecorder log;
    expect_equal(*load_last(), sample_state(10));
    EXPECT_NE(log.warnings.find("step-00000020.h5"), std::string::npos) << log.warnings;
    EXPECT_NE(log.warnings.find("Going on from prev, the checkpoint before it, step-00000010.h5"),
              std::string::npos);
    // Training goes on from there: the damaged file must not become `prev`.
    checkpoints.save(sample_state(15));
    EXPECT_EQ(fs::read_symlink(folder / "prev"), "step-00000010.h5");
    expect_equal(*load_last(), sample_state(15));
    fs::remove_all(folder);
  }
}

TEST_F(CheckpointTest, NoFlippedByteGoesUnseen) {
  CheckpointFolder checkpoints = open();
  checkpoints.save(sample_state(10));
  checkpoints.save(sample_state(20));
  const fs::path path = folder / "step-00000020.h5";
  const std::string sound = read_text_file(path);
  FLAGS_minloglevel = google::GLOG_ERROR;
  RandomStream stream(7, Purpose::kTest);
  int fallbacks = 0;
  for (int trial = 0; trial < 300; ++trial) {
    std::string damaged = sound;
    auto& byte = damaged[stream.below(damaged.size())];
    byte = static_cast<char>(byte ^ (1 << stream.below(8)));
    write_file_atomically(path, damaged);
    replace_link(folder / "last", path.filename().string());
    const auto state = load_last();
    ASSERT_TRUE(state.has_value());
    // A bit that nothing depends on (free space) may be flipped without harm.
    CheckpointState expected = sample_state(state->step);
    expected.git = state->git;  // an attribute for people; everything else is checked
    expect_equal(*state, expected);
    fallbacks += state->step == 10;
    ASSERT_FALSE(HasFailure()) << "trial " << trial;
  }
  FLAGS_minloglevel = google::GLOG_INFO;
  EXPECT_GT(fallbacks, 30);
}

TEST_F(CheckpointTest, BothDamagedSaysWhatToDo) {
  CheckpointFolder checkpoints = open();
  checkpoints.save(sample_state(10));
  truncate("step-00000010.h5", 0.5);
  EXPECT_THROW((void)load_last(), InputOutputError);
  fs::remove_all(folder);
  checkpoints.save(sample_state(10));
  checkpoints.save(sample_state(20));
  truncate("step-00000010.h5", 0.5);
  truncate("step-00000020.h5", 0.5);
  try {
    (void)load_last();
    FAIL();
  } catch (const InputOutputError& error) {
    EXPECT_NE(std::string(error.what()).find("another --run.dir"), std::string::npos);
  }
  EXPECT_TRUE(fs::exists(folder / "step-00000020.h5")) << "nothing on disk may be lost";
}

TEST_F(CheckpointTest, AnotherDatasetIsRefusedNotSkipped) {
  CheckpointFolder checkpoints = open();
  checkpoints.save(sample_state(10));
  checkpoints.save(sample_state(20));
  try {
    (void)checkpoints.load_last(std::string(64, '0'), "Other");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("another dataset"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("'Other'"), std::string::npos);
  }
}

TEST_F(CheckpointTest, AnInterruptedWriteLeavesLastWhole) {
  CheckpointFolder checkpoints = open();
  checkpoints.save(sample_state(10));
  {
    // As after SIGKILL: half a file under the temporary name, no commit, no link.
    std::ofstream(folder / "step-00000020.h5.partial") << "half a file";
  }
  expect_equal(*load_last(), sample_state(10));
  checkpoints.save(sample_state(30));
  EXPECT_FALSE(fs::exists(folder / "step-00000020.h5.partial"));
  // Killed between the file and its link: the older state counts.
  write_checkpoint(folder / "step-00000040.h5", sample_state(40));
  expect_equal(*load_last(), sample_state(30));
}

TEST_F(CheckpointTest, AFailedWriteLeavesLastWhole) {
  CheckpointFolder checkpoints = open();
  checkpoints.save(sample_state(10));
  CheckpointState bad = sample_state(20);
  bad.model["broken"] = HostArray{ElementType::kFloat32, {4}, {}};
  EXPECT_THROW(checkpoints.save(bad), Error);
  EXPECT_EQ(files(), (std::vector<std::string>{"last", "step-00000010.h5"}));
  expect_equal(*load_last(), sample_state(10));
}

}  // namespace
}  // namespace genrec
