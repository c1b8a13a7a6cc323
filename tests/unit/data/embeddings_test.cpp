#include "data/embeddings.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "io/hdf5.h"
#include "io/sha256.h"
#include "support.h"
#include "unit/io/expect_error.h"

namespace genrec {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class EmbeddingsFile : public testing::Test {
 protected:
  /// A dataset of `items` items, the first of `before_limit`.
  static Dataset dataset_of(std::size_t items, std::int64_t before_limit = 0) {
    Dataset dataset;
    dataset.catalogue.titles.resize(items);
    dataset.catalogue.descriptions.resize(items);
    dataset.items_before_limit = before_limit;
    return dataset;
  }
  void write(const std::vector<float>& values, std::int64_t width, const std::string& name = kEmbeddings) {
    write_embeddings(file_, make_embeddings(values, width, "an encoder", "title"), name);
  }
  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "X.embeddings.h5";
};

TEST_F(EmbeddingsFile, KeepsValuesAndProvenance) {
  const std::vector<float> values{1, -2, 0.5F, 3, 4, 5};
  Embeddings made = make_embeddings(values, 3, "an encoder", "title+description");
  made.provenance.fingerprint = "f00d";
  write_embeddings(file_, made);
  const Embeddings read = read_embeddings(file_);
  EXPECT_EQ(read.values, values);
  EXPECT_EQ(read.rows, 2);
  EXPECT_EQ(read.width, 3);
  EXPECT_THAT(read.row(1), ElementsAre(3, 4, 5));
  EXPECT_EQ(read.provenance.source, "an encoder");
  EXPECT_EQ(read.provenance.text_template, "title+description");
  EXPECT_EQ(read.provenance.rows, 2);
  EXPECT_EQ(read.provenance.fingerprint, "f00d");
  EXPECT_EQ(read.provenance.sha256, sha256(std::as_bytes(std::span(values))));
  EXPECT_EQ(read.provenance, made.provenance);

  const Hdf5Reader file(file_);
  EXPECT_EQ(file.text_attribute("/embeddings", "sha256"), read.provenance.sha256);
  EXPECT_EQ(file.text_attribute("/embeddings", "template"), "title+description");
  EXPECT_EQ(file.integer_attribute("/embeddings", "rows"), 2);
  EXPECT_THAT(file.verify(), IsEmpty());
}

TEST_F(EmbeddingsFile, ForeignFilesSayNothingOfTheirOrigin) {
  const std::vector<std::uint16_t> halves{0x3c00, 0xc000, 0x3800, 0x4200};  // 1, -2, 0.5, 3
  const auto raw = std::as_bytes(std::span(halves));
  Hdf5Writer writer(file_);
  writer.write("/vectors/half", HostArray{ElementType::kFloat16, {4, 1}, {raw.begin(), raw.end()}});
  writer.write<double>("/vectors/wide", std::vector<double>{0.1, 2}, {1, 2});
  writer.commit();
  const Embeddings half = read_embeddings(file_, "vectors/half");
  EXPECT_THAT(half.values, ElementsAre(1, -2, 0.5F, 3));
  EXPECT_EQ(half.provenance, (EmbeddingProvenance{"", "", 4, sha256(raw)}));
  EXPECT_THAT(read_embeddings(file_, "/vectors/wide").values, ElementsAre(0.1F, 2));
}

TEST_F(EmbeddingsFile, ForeignFilesMayNameTheirEncoderAsAModel) {
  const auto source_of = [&](const std::string& owner) {
    {
      Hdf5Writer writer(file_);
      writer.write<float>("/embeddings", std::vector<float>{1, 2}, {1, 2});
      writer.attribute(owner, "model", "some-encoder-v2");
      writer.commit();
    }
    return read_embeddings(file_).provenance.source;
  };
  EXPECT_EQ(source_of("/embeddings"), "some-encoder-v2");
  EXPECT_EQ(source_of("/"), "some-encoder-v2");
}

TEST_F(EmbeddingsFile, ItemsThatAreLeftOutOfTheDatasetAreLeftOut) {
  write({1, 2, 3, 4, kNan, 6}, 2);
  const Embeddings kept = read_embeddings_for(dataset_of(2, 3), file_);
  EXPECT_THAT(kept.values, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(kept.rows, 2);
  EXPECT_EQ(kept.provenance.rows, 3);
  EXPECT_EQ(kept.provenance.sha256, read_embeddings(file_).provenance.sha256);
}

TEST_F(EmbeddingsFile, AnotherNumberOfRowsIsAnError) {
  write({1, 2, 3, 4, 5, 6}, 2, "items");
  EXPECT_EQ(read_embeddings_for(dataset_of(3), file_, "items").rows, 3);
  const auto failure = [&](const Dataset& dataset) {
    return error_of<DataError>([&] { (void)read_embeddings_for(dataset, file_, "items"); });
  };
  EXPECT_THAT(failure(dataset_of(5)),
              AllOf(HasSubstr(file_.string()), HasSubstr("dataset items"), HasSubstr("3 rows"),
                    HasSubstr("5 items"), Not(HasSubstr("--drop-first-row"))));
  EXPECT_THAT(failure(dataset_of(3, 4)), HasSubstr("4 items"));
  EXPECT_THAT(failure(dataset_of(2)), HasSubstr("--drop-first-row"));
}

TEST_F(EmbeddingsFile, NumbersThatAreNotFiniteAreCountedAndTheFirstRowNamed) {
  write({1, 2, kNan, kInfinity, 5, 6, 7, -kInfinity}, 2);
  EXPECT_THAT(error_of<DataError>([&] { (void)read_embeddings_for(dataset_of(4), file_); }),
              AllOf(HasSubstr(file_.string()), HasSubstr("2 of 4 rows"), HasSubstr("(3 numbers)"),
                    HasSubstr("row 1")));
}

TEST_F(EmbeddingsFile, WhatIsNoTableOfFloatsIsRefused) {
  Hdf5Writer writer(file_);
  writer.write("/flat", std::vector<float>{1, 2});
  writer.write<float>("/narrow", std::vector<float>{}, {2, 0});
  writer.write<std::int64_t>("/whole", std::vector<std::int64_t>{1, 2}, {1, 2});
  writer.write<float>("/cut", std::vector<float>{1, 2}, {1, 2});
  writer.attribute("/cut", "rows", std::int64_t{2});
  writer.commit();
  const auto failure = [&](const std::string& name) {
    return error_of<DataError>([&] { (void)read_embeddings(file_, name); });
  };
  EXPECT_THAT(failure("flat"), AllOf(HasSubstr("flat"), HasSubstr("[2]")));
  EXPECT_THAT(failure("narrow"), HasSubstr("[2, 0]"));
  EXPECT_THAT(failure("whole"), HasSubstr("i64"));
  EXPECT_THAT(failure("cut"), AllOf(HasSubstr("2 rows"), HasSubstr("has 1")));
  EXPECT_THAT(failure("absent"), AllOf(HasSubstr("dataset absent"), HasSubstr("/flat, /narrow, /whole")));
  EXPECT_THROW((void)read_embeddings(folder_.path() / "no.h5"), MissingInput);
}

TEST(Embeddings, VectorsOfUnequalWidthAreRefused) {
  EXPECT_THROW((void)make_embeddings({1, 2, 3}, 2, "", ""), Error);
  EXPECT_THROW((void)make_embeddings({1, 2, 3}, 0, "", ""), Error);
}

TEST(Embeddings, ExaminationCountsEveryFault) {
  const Embeddings embeddings = make_embeddings(
      {
          1, 2,         //
          3, 3,         // constant
          1, 2,         // row 0
          0, 0,         // constant, zeros
          2, 1,         //
          kNan, 2,      // not finite
          -0.0F, 0,     // row 3
          1, 2,         // row 0
          kInfinity, 1  // not finite
      },
      2, "", "");
  EXPECT_THAT(first_equal_rows(embeddings), ElementsAre(0, 1, 0, 3, 4, 5, 3, 0, 8));
  const EmbeddingCounts counts = examine(embeddings);
  EXPECT_EQ(counts, (EmbeddingCounts{.rows = 9,
                                     .non_finite_values = 2,
                                     .non_finite_rows = 2,
                                     .first_non_finite_row = 5,
                                     .constant_rows = 3,
                                     .zero_rows = 2,
                                     .first_constant_row = 1,
                                     .distinct_rows = 6,
                                     .repeating_rows = 3,
                                     .groups = 2,
                                     .largest_group = 3}));
  EXPECT_THAT(
      describe(counts),
      ElementsAre(HasSubstr("2 of 9 rows hold NaN"), HasSubstr("3 of 9 rows are constant (2 of zeros)"),
                  AllOf(HasSubstr("3 of 9 rows repeat"), HasSubstr("2 groups, 3 rows"),
                        HasSubstr("no codebook separates their items"))));
  EXPECT_THAT(describe(counts, "so be it").back(), testing::EndsWith("so be it"));
}

TEST(Embeddings, NothingIsSaidOfGoodOnes) {
  const EmbeddingCounts counts = examine(make_embeddings({1, 2, 3, 4, 5, 0}, 1, "", ""));
  EXPECT_EQ(counts.distinct_rows, 6);
  EXPECT_EQ(counts.zero_rows, 1);  // of width 1, only 0 is constant
  EXPECT_EQ(counts.constant_rows, 1);
  EXPECT_THAT(describe(examine(make_embeddings({1, 2, 3, 4}, 2, "", ""))), IsEmpty());
  EXPECT_EQ(examine(make_embeddings({}, 2, "", "")), EmbeddingCounts{});
}

TEST(Embeddings, OfBeautyAreUnitVectorsOfAllItems) {
  const auto path = test::shared_folder() / "data" / "beauty" / "Beauty.embeddings.h5";
  GENREC_NEEDS(path);
  const Embeddings embeddings = read_embeddings(path);
  EXPECT_EQ(embeddings.rows, 12101);
  EXPECT_EQ(embeddings.width, 384);
  EXPECT_THAT(embeddings.provenance.source, HasSubstr("MiniLM"));
  for (std::int64_t r = 0; r < embeddings.rows; ++r) {
    double squares = 0;
    for (const float value : embeddings.row(r)) squares += static_cast<double>(value) * value;
    ASSERT_NEAR(std::sqrt(squares), 1, 2e-3) << r;  // float16
  }
  const EmbeddingCounts counts = examine(embeddings);
  EXPECT_EQ(counts.non_finite_values, 0);
  EXPECT_EQ(counts.constant_rows, 0);
}

}  // namespace
}  // namespace genrec
