#include "tokenizers/rqvae/codebook_start.h"

#include <gmock/gmock.h>

#include <vector>

#include "nn/residual_quantizer.h"
#include "unit/tokenizers/planted.h"

namespace genrec {
namespace {

using test::planted_options;

TEST(CodebookStart, BoundsAreLetters) {
  EXPECT_EQ(start_bounds(9922, 256), (StartBounds{19, 76}));    // Instruments
  EXPECT_EQ(start_bounds(12101, 256), (StartBounds{23, 92}));   // Beauty
  EXPECT_EQ(start_bounds(20033, 256), (StartBounds{39, 156}));  // Yelp
  for (const std::int64_t rows : {512, 1000, 30000, 100000, 1000000}) {
    const StartBounds bounds = start_bounds(rows, 256);
    EXPECT_LE(bounds.size_min * 256, rows);
    EXPECT_GE(bounds.size_max * 256, rows);
  }
}

TEST(CodebookStart, PlainAndConstrainedCentresFitTheirResiduals) {
  const at::Tensor points = test::planted_points(96, 8, 4, 1);
  RqvaeOptions options = planted_options();
  options.codes = 8;
  options.levels = 2;
  for (const char* init : {"kmeans", "constrained-kmeans"}) {
    options.init = init;
    const CodebookStart start = start_codebooks(points, options);
    ASSERT_EQ(start.codebooks.sizes(), (std::vector<std::int64_t>{2, 8, 4}));
    EXPECT_TRUE(start.notes.empty());
    const at::Tensor first = start.codebooks[0], second = start.codebooks[1];
    const at::Tensor rest = points - at::embedding(first, nearest_codes(points, first));
    const at::Tensor last = rest - at::embedding(second, nearest_codes(rest, second));
    EXPECT_LT(rest.square().sum().item<double>(), 0.2 * points.square().sum().item<double>()) << init;
    EXPECT_LT(last.square().sum().item<double>(), rest.square().sum().item<double>()) << init;
  }
}

TEST(CodebookStart, TakesFewerRowsOfManyCodes) {
  EXPECT_EQ(most_constrained_rows(256), 25'600);
  for (const std::int64_t codes : {1024, 2048, 8192}) {
    EXPECT_GE(most_constrained_rows(codes), 8 * codes);
    EXPECT_LE(most_constrained_rows(codes) * codes, 8 * 8192 * 8192) << "costs of one run";
  }
}

TEST(CodebookStart, FewerItemsThanCodesIsStated) {
  RqvaeOptions options = planted_options();
  const at::Tensor points = test::planted_points(5, 5, 4, 1);
  const CodebookStart start = start_codebooks(points, options);
  ASSERT_EQ(start.codebooks.sizes(), (std::vector<std::int64_t>{3, 16, 4}));
  EXPECT_THAT(start.notes, ::testing::ElementsAre(::testing::HasSubstr("only 5 distinct items")));
  EXPECT_TRUE(at::equal(start.codebooks[0].narrow(0, 0, 5), points));
  EXPECT_TRUE(start.codebooks.isfinite().all().item<bool>());
}

TEST(CodebookStart, NoTwoCodesOfALevelAreEqual) {
  RqvaeOptions options = planted_options();
  const at::Tensor five = test::planted_points(5, 5, 4, 1);
  const at::Tensor twenty = test::planted_points(20, 5, 4, 1);
  // Fewer rows than codes; rows that repeat; one row; zeros; so few that most are codes themselves.
  for (const at::Tensor& points :
       {five, five.repeat({8, 1}), five.narrow(0, 0, 1), at::zeros({40, 4}), twenty}) {
    for (const char* init : {"kmeans", "constrained-kmeans"}) {
      options.init = init;
      const at::Tensor books = start_codebooks(points, options).codebooks;
      ASSERT_TRUE(books.isfinite().all().item<bool>());
      for (std::int64_t level = 0; level < options.levels; ++level) {
        const at::Tensor distinct = std::get<0>(at::unique_dim(books[level], 0));
        EXPECT_EQ(distinct.size(0), options.codes) << init << ", " << points.sizes() << ", level " << level;
      }
    }
  }
  // Later levels are finer.
  const at::Tensor books = start_codebooks(five, options).codebooks;
  EXPECT_LT(books[2].norm().item<double>(), books[1].norm().item<double>());
}

}  // namespace
}  // namespace genrec
