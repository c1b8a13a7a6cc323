#include "app/tokenizer_file.h"

#include <gmock/gmock.h>

#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "comm/communicator.h"
#include "io/hdf5.h"
#include "support.h"
#include "unit/io/expect_error.h"

namespace genrec {
namespace {

using test::error_of;
using testing::HasSubstr;

HostArray array_of(const std::vector<float>& values, std::vector<std::int64_t> shape) {
  return HostArray::of<float>(std::span<const float>(values), std::move(shape));
}

/// Codebooks of 2 levels and one layer; `best` weights differ from the last.
TokenizerFile sample() {
  TokenizerFile file;
  file.dataset = "Small";
  file.fingerprint = "f00d";
  file.git = "abc";
  file.config = "[run]\nseed = 7\n";
  file.state.epoch = 5;
  file.state.steps = 20;
  file.state.values = {{"encoder.0.weight", array_of({1, 2}, {2, 1})},
                       {"quantizer.codebooks", array_of({1, 2, 3, 4}, {2, 2, 1})}};
  file.state.exp_avg = file.state.exp_avg_sq = file.state.values;
  file.state.best = {{"encoder.0.weight", array_of({3, 4}, {2, 1})},
                     {"quantizer.codebooks", array_of({5, 6, 7, 8}, {2, 2, 1})}};
  file.state.best_score = {.epoch = 4, .collision_rate = 0.25, .loss = 1.5};
  file.state.losses = {
      .reconstruction = 1, .quantization = 2, .collaborative = 3, .diversity = 4, .total = 5};
  file.state.embeddings_sha256 = "beef";
  file.state.cf_sha256 = "cafe";
  file.embeddings = {"an encoder", "title", 2, "beef", "f00d"};
  file.cf = EmbeddingProvenance{"SASRec, epoch 3, seed 42", "", 2, "cafe", "f00d"};
  return file;
}

TEST(TokenizerFile, ComesBackAsItWas) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / kTokenizerFile;
  TokenizerFile written = sample();
  write_tokenizer_file(path, written);
  EXPECT_FALSE(read_tokenizer_file(path).table.has_value()) << "in training";
  EXPECT_EQ(read_tokenizer_report(path), "") << "in training";
  written.report = R"({"epochs":5})";
  written.table = IdentifierTable::from_strings({{"<a_1>", "<b_0>"}, {"<a_0>", "<b_0>"}});
  write_tokenizer_file(path, written);
  const TokenizerFile read = read_tokenizer_file(path);
  EXPECT_EQ(read.dataset, "Small");
  EXPECT_EQ(read.fingerprint, "f00d");
  EXPECT_EQ(read.state.losses.reconstruction, 1);
  EXPECT_EQ(read.state.losses.quantization, 2);
  EXPECT_EQ(read.state.losses.collaborative, 3);
  EXPECT_EQ(read.state.losses.diversity, 4);
  EXPECT_EQ(read.state.losses.total, 5);
  EXPECT_EQ(read.config, written.config);
  EXPECT_EQ(read.state.epoch, 5);
  EXPECT_EQ(read.state.best_score.collision_rate, 0.25);
  EXPECT_EQ(read.state.values.at("encoder.0.weight").bytes,
            written.state.values.at("encoder.0.weight").bytes);
  EXPECT_EQ(codebooks_of(read.state).bytes, written.state.best.at("quantizer.codebooks").bytes);
  EXPECT_EQ(read.embeddings, written.embeddings);
  EXPECT_EQ(read.cf, written.cf);
  ASSERT_TRUE(read.table.has_value());
  EXPECT_EQ(read.table->sha256(), written.table->sha256());
  EXPECT_EQ(read_tokenizer_report(path), written.report);
  EXPECT_EQ(read_tokenizer_report(folder.path() / "none.h5"), "");
}

TEST(TokenizerFile, LayoutIsTheContracts) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / kTokenizerFile;
  write_tokenizer_file(path, sample());
  const Hdf5Reader file(path);
  EXPECT_EQ(file.read<float>("/tokenizer/codebooks/0"), (std::vector<float>{5, 6}));
  EXPECT_EQ(file.read<float>("/tokenizer/codebooks/1"), (std::vector<float>{7, 8}));
  EXPECT_TRUE(file.has("/config"));
  EXPECT_TRUE(file.verify().empty());
}

TEST(TokenizerFile, AnotherKindOfFileIsRefused) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "other.h5";
  Hdf5Writer file(path);
  file.write("/numbers", std::vector<float>{1, 2});
  file.commit();
  EXPECT_THROW((void)read_tokenizer_file(path), DataError);
  EXPECT_THROW((void)read_tokenizer_file(folder.path() / "none.h5"), MissingInput);
}

/// A tokenizer of five epochs in a file, and the options of a call that may go on with it.
class TokenizerState : public testing::Test {
 protected:
  TokenizerState() {
    add_options(parser_, options_);
    TokenizerFile file = sample();
    file.config = parser_.resolved_ini();
    write_tokenizer_file(path_, file);
    dataset_.name = "Small";
    dataset_.fingerprint = "f00d";
  }
  std::optional<RqvaeState> load(const std::filesystem::path& path) {
    return load_tokenizer_state(parser_, options_, dataset_, path, *world_);
  }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / kTokenizerFile;
  ProgramOptions options_;
  OptionParser parser_;
  Dataset dataset_;
  std::unique_ptr<Communicator> world_ = make_single_communicator();
};

TEST_F(TokenizerState, IsLoadedWithTheOptionsOfThen) {
  const auto state = load(path_);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->epoch, 5);
  EXPECT_EQ(state->cf_sha256, "cafe");
  EXPECT_FALSE(load(folder_.path() / "none.h5").has_value());
}

TEST_F(TokenizerState, OfAnotherDatasetIsRefused) {
  dataset_.fingerprint = "beef";
  EXPECT_THAT(error_of<DataError>([&] { (void)load(path_); }),
              AllOf(HasSubstr(path_.string()), HasSubstr("another dataset"), HasSubstr("f00d")));
}

TEST_F(TokenizerState, OfOtherOptionsIsRefused) {
  (void)parser_.parse({"--tokenizer.lr", "0.5"});
  EXPECT_THAT(error_of<UsageError>([&] { (void)load(path_); }),
              AllOf(HasSubstr("tokenizer.lr = 0.5"), HasSubstr("another run.dir")));
}

TEST_F(TokenizerState, MayHaveMovedVectorsButNoOtherPrecision) {
  (void)parser_.parse({"--letter.cf", "elsewhere.h5"});
  EXPECT_TRUE(load(path_).has_value());
  (void)parser_.parse({"--run.precision", "bf16"});
  EXPECT_THAT(error_of<UsageError>([&] { (void)load(path_); }), HasSubstr("run.precision = bf16"));
}

TEST_F(TokenizerState, RunResumeMustFindOneAndNeverNone) {
  options_.run.resume = "must";
  EXPECT_TRUE(load(path_).has_value());
  EXPECT_THAT(error_of<MissingInput>([&] { (void)load(folder_.path() / "none.h5"); }),
              AllOf(HasSubstr("run.resume = must"), HasSubstr("none.h5")));
  options_.run.resume = "never";
  EXPECT_FALSE(load(folder_.path() / "none.h5").has_value());
  EXPECT_THAT(error_of<UsageError>([&] { (void)load(path_); }), HasSubstr("run.resume = never"));
}

TEST_F(TokenizerState, IsNotLeftBesideOtherIdentifiers) {
  EXPECT_THAT(error_of<UsageError>([&] { require_no_tokenizer(path_, *world_); }),
              AllOf(HasSubstr(path_.string()), HasSubstr("another run.dir")));
  EXPECT_NO_THROW(require_no_tokenizer(folder_.path() / "none.h5", *world_));
}

}  // namespace
}  // namespace genrec
