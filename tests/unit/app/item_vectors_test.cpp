#include "app/item_vectors.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "comm/communicator.h"
#include "support.h"
#include "unit/io/expect_error.h"

namespace genrec {
namespace {

using test::error_of;
using testing::HasSubstr;

Dataset dataset_of(std::vector<std::string> titles, std::vector<std::string> descriptions) {
  Dataset dataset;
  dataset.name = "Small";
  dataset.fingerprint = "f00d";
  dataset.catalogue.titles = std::move(titles);
  dataset.catalogue.descriptions = std::move(descriptions);
  dataset.items_before_limit = dataset.items();
  return dataset;
}

class ItemVectors : public testing::Test {
 protected:
  Embeddings made(const Dataset& dataset, const LsaFile& lsa = {}) {
    return item_embeddings(options_, dataset, *world_, progress_, lsa);
  }

  test::TemporaryFolder folder_;
  ProgramOptions options_;
  std::unique_ptr<Communicator> world_ = make_single_communicator();
  Progress progress_{ProgressMode::kNone, 0};
};

TEST_F(ItemVectors, OfLsaReadDescriptionsUnlessTitlesAloneAreAskedFor) {
  const Dataset dataset = dataset_of({"polish", "polish", "file"}, {"red", "blue", "steel"});
  const Embeddings by_default = made(dataset);
  EXPECT_EQ(by_default.provenance.text_template, "title+description");
  EXPECT_EQ(by_default.provenance.fingerprint, "f00d");
  EXPECT_EQ(examine(by_default).distinct_rows, 3);
  options_.data.text = "title";  // of prompts and alignment
  EXPECT_EQ(made(dataset).values, by_default.values);
  options_.vectors.text = "title";
  EXPECT_EQ(examine(made(dataset)).distinct_rows, 2);
}

TEST_F(ItemVectors, OfLsaAreReadBackByATrainingThatGoesOn) {
  const LsaFile first{.path = folder_.path() / "lsa.h5", .goes_on = false};
  const Dataset dataset = dataset_of({"red polish", "blue polish", "steel file"}, {"", "", ""});
  const Embeddings then = made(dataset, first);
  ASSERT_TRUE(std::filesystem::exists(first.path));
  // Other texts stand for another processor, whose LSA would differ in the last bits.
  const Dataset elsewhere = dataset_of({"red polish", "red file", "steel file"}, {"", "", ""});
  const Embeddings again = made(elsewhere, {.path = first.path, .goes_on = true});
  EXPECT_EQ(again.values, then.values);
  EXPECT_EQ(again.provenance, then.provenance);
  EXPECT_NE(made(elsewhere, first).values, then.values) << "nothing goes on: made anew";
}

TEST_F(ItemVectors, WithoutTextsAreAnError) {
  EXPECT_THAT(error_of<DataError>([&] {
                (void)made(dataset_of({"", ""}, {"", ""}));
              }),
              AllOf(HasSubstr("Small"), HasSubstr("tokenizer.embeddings")));
}

TEST_F(ItemVectors, CollaborativeOnesHaveTheWidthOfCodes) {
  const Dataset dataset = dataset_of({"a", "b"}, {"", ""});
  options_.vectors.cf = (folder_.path() / "x.cf.h5").string();
  write_embeddings(options_.vectors.cf, make_embeddings({1, 2, 3, 4}, 2, "SASRec", ""));
  options_.tokenizer.rqvae.dim = 2;
  EXPECT_EQ(collaborative_vectors(options_, dataset, *world_).rows, 2);
  options_.tokenizer.rqvae.dim = 32;
  EXPECT_THAT(error_of<DataError>([&] { (void)collaborative_vectors(options_, dataset, *world_); }),
              AllOf(HasSubstr("letter.cf"), HasSubstr("x.cf.h5"), HasSubstr("width 2"),
                    HasSubstr("tokenizer.dim = 32")));
  options_.vectors.cf.clear();
  EXPECT_THAT(error_of<MissingInput>([&] { (void)collaborative_vectors(options_, dataset, *world_); }),
              AllOf(HasSubstr("letter.alpha"), HasSubstr("width 32")));
}

}  // namespace
}  // namespace genrec
