#include "tokenizers/rqvae/unused_codes.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "comm/communicator.h"
#include "unit/tokenizers/planted.h"

namespace genrec {
namespace {

constexpr std::int64_t kPoints = 120, kWidth = 16;

/// A model of which codes 3 to 15 of every level lie far from everything.
class UnusedCodes : public testing::Test {
 protected:
  UnusedCodes() {
    model_.initialise(1);
    const at::Tensor books = model_.quantizer().codebooks();
    const at::Tensor latent = model_.latent(rows_);
    for (std::int64_t level = 0; level < 3; ++level) {
      books.select(0, level).fill_(1e3);
      books.select(0, level).narrow(0, 0, 3).copy_(latent.narrow(0, 0, 3) * (level == 0 ? 1.0 : 0.1));
    }
    for (const at::Tensor& moments : {optimizer_.exp_avg(), optimizer_.exp_avg_sq()}) moments.fill_(7);
  }
  void restart(std::uint64_t seed = 5) {
    restart_unused_codes(model_, optimizer_, in_lanes_, lanes_, /*epoch=*/2, seed, *world_);
  }
  [[nodiscard]] at::Tensor books() const { return model_.quantizer().codebooks(); }
  [[nodiscard]] at::Tensor moments(const at::Tensor& flat) {
    const auto& entry = model_.parameters().entries()[model_.quantizer().parameter()];
    return flat.narrow(0, entry.offset, entry.count).view(entry.shape);
  }

  std::unique_ptr<Communicator> world_ = make_single_communicator();
  RqvaeModel model_{kWidth, test::planted_options(), at::kCPU, Precision::kFloat32};
  AdamW optimizer_{model_.parameters(), {}};
  at::Tensor rows_ = test::planted_points(kPoints, 12, kWidth, 1);
  ItemLanes lanes_{kPoints, 32, 9};
  at::Tensor in_lanes_ = rows_.index_select(
      0, at::tensor(std::vector<std::int64_t>(lanes_.item_of_place().begin(), lanes_.item_of_place().end())));
};

TEST_F(UnusedCodes, MoveOntoWhatDifferentItemsLeaveAtTheirLevel) {
  const EncodedRows before = model_.encode(in_lanes_);
  const at::Tensor old = books().clone();
  ASSERT_EQ(codebook_use(before.codes, 16)[0].used, 3);
  restart();
  at::Tensor left = model_.latent(in_lanes_);
  for (std::int64_t level = 0; level < 3; ++level) {
    const at::Tensor used = at::bincount(before.codes.select(1, level).contiguous(), {}, 16).gt(0);
    std::set<std::int64_t> items;
    for (std::int64_t code = 0; code < 16; ++code) {
      const at::Tensor now = books()[level][code];
      const bool moved = !used[code].item<bool>();
      if (moved) {
        const at::Tensor distance = (left - now).abs().amax(1);
        EXPECT_LT(distance.min().item<float>(), 1e-5) << "level " << level << ", code " << code;
        EXPECT_TRUE(items.insert(distance.argmin().item<std::int64_t>()).second) << "an item twice";
      } else {
        EXPECT_TRUE(at::equal(now, old[level][code]));
      }
      for (const at::Tensor& flat : {optimizer_.exp_avg(), optimizer_.exp_avg_sq()}) {
        EXPECT_TRUE(moments(flat)[level][code].eq(moved ? 0 : 7).all().item<bool>());
      }
    }
    left = left - old.select(0, level).index_select(0, before.codes.select(1, level));
  }
  EXPECT_EQ(codebook_use(model_.encode(in_lanes_).codes, 16)[0].used, 16);
  // Nothing else moved: the first number of the optimiser is a weight of the encoder.
  EXPECT_EQ(optimizer_.exp_avg()[0].item<float>(), 7);
}

TEST_F(UnusedCodes, AreDrawnBySeed) {
  const at::Tensor old = books().clone();
  restart(5);
  const at::Tensor first = books().clone();
  books().copy_(old);
  restart(5);
  EXPECT_TRUE(at::equal(books(), first));
  books().copy_(old);
  restart(6);
  EXPECT_FALSE(at::equal(books(), first));
}

TEST_F(UnusedCodes, TwoItemsTakeUpTwoOfALevelAndAUsedUpBookKeepsItsCodes) {
  ItemLanes few(2, 2, 9);
  const at::Tensor two = rows_.narrow(0, 0, 2).contiguous();
  const at::Tensor old = books().clone();
  restart_unused_codes(model_, optimizer_, two, few, 2, 5, *world_);
  EXPECT_TRUE(books().ne(old).any(2).sum(1).eq(2).all().item<bool>());
  RqvaeOptions pair = test::planted_options();
  pair.codes = 2;
  pair.levels = 1;
  RqvaeModel small(kWidth, pair, at::kCPU, Precision::kFloat32);
  small.initialise(1);
  small.quantizer().codebook(0).copy_(small.latent(two) + 1e-3);  // beside the items: a moved code would show
  AdamW optimizer(small.parameters(), {});
  const at::Tensor all_used = small.quantizer().codebooks().clone();
  restart_unused_codes(small, optimizer, two, few, 2, 5, *world_);
  EXPECT_TRUE(at::equal(small.quantizer().codebooks(), all_used));
}

}  // namespace
}  // namespace genrec
