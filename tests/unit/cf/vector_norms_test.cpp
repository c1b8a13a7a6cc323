#include "cf/vector_norms.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "unit/cf/small_dataset.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// Norms 5, 1, 10, 3.
at::Tensor four_vectors() {
  return at::tensor({3.0F, 4.0F, 0.0F, -1.0F, 8.0F, 6.0F, 0.0F, 3.0F}).view({4, 2});
}

TEST(VectorNorms, TrainedItemsAndUnseenOnesApart) {
  // The last two items of a history are held out: item 3 is in no training part.
  const Dataset dataset = test::dataset_of({{0, 1, 0, 3, 2}, {2, 3, 1}, {3, 0}}, 4);
  const auto world = make_single_communicator();
  const std::vector<std::int64_t> counts = training_counts(dataset, *world);
  EXPECT_THAT(counts, ElementsAre(2, 1, 1, 0));
  const VectorNorms norms = norms_of(four_vectors(), counts);
  EXPECT_EQ(norms.trained.items, 3);
  EXPECT_DOUBLE_EQ(norms.trained.min, 1);
  EXPECT_DOUBLE_EQ(norms.trained.max, 10);
  EXPECT_DOUBLE_EQ(norms.trained.mean, 16.0 / 3);
  EXPECT_EQ(norms.unseen.items, 1);
  EXPECT_DOUBLE_EQ(norms.unseen.mean, 3);
  EXPECT_EQ(describe(norms),
            "norms of vectors: 1 to 10, mean 5.33 (items: 3); without a training interaction: 3 to 3, mean 3 "
            "(items: 1)");
  const std::vector<std::int64_t> all = {1, 1, 1, 1};
  EXPECT_EQ(norms_of(four_vectors(), all).unseen.items, 0);
  EXPECT_THAT(describe(norms_of(four_vectors(), all)), Not(HasSubstr("without")));
}

TEST(VectorNorms, OneFactorBringsTheMeanOfTrainedItemsToANorm) {
  const std::vector<std::int64_t> counts = {2, 1, 1, 0};
  const at::Tensor vectors = four_vectors(), scaled = with_mean_norm(vectors, counts, 0.3);
  EXPECT_NEAR(norms_of(scaled, counts).trained.mean, 0.3, 1e-6);
  EXPECT_LT(test::difference(scaled, vectors * (0.3 / (16.0 / 3))), 1e-6) << "proportions stay";
  EXPECT_EQ(vectors[0][0].item<float>(), 3) << "a copy is scaled";
  EXPECT_THROW(static_cast<void>(with_mean_norm(at::zeros({4, 2}), counts, 0.3)), DataError);
}

}  // namespace
}  // namespace genrec
