#include "tokenizers/rqvae/index_generation.h"

#include <gmock/gmock.h>

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Strings = std::vector<std::string>;

ItemCodes codes_of(std::int64_t levels, std::vector<std::int32_t> values) {
  return {levels, std::move(values)};
}

RqvaeOptions small_options() {
  RqvaeOptions options;
  options.levels = 2;
  options.codes = 8;
  options.dim = 3;
  options.hidden = {6};
  return options;
}

TEST(ItemCodes, GroupsAndCollisionRate) {
  const ItemCodes codes = codes_of(2, {3, 1, 0, 0, 3, 1, 0, 1, 0, 0, 3, 1});
  EXPECT_THAT(equal_codes(codes), ElementsAre(ElementsAre(0, 2, 5), ElementsAre(1, 4)));
  EXPECT_DOUBLE_EQ(collision_rate(codes), 3.0 / 6);
  EXPECT_THAT(equal_codes(codes_of(2, {0, 1, 1, 0})), IsEmpty());
}

TEST(ItemCodes, SymbolsOfTheTable) {
  const IdentifierTable table = identifier_table(codes_of(3, {12, 0, 5, 2, 0, 5, 12, 1, 5}));
  EXPECT_EQ(table.symbols(), (Strings{"<a_2>", "<a_12>", "<b_0>", "<b_1>", "<c_5>"}));
  EXPECT_EQ(table.strings_of(0), (Strings{"<a_12>", "<b_0>", "<c_5>"}));
  EXPECT_EQ(table.strings_of(1), (Strings{"<a_2>", "<b_0>", "<c_5>"}));
  EXPECT_EQ(table.strings_of(2), (Strings{"<a_12>", "<b_1>", "<c_5>"}));
}

TEST(Digits, NumberEarlierItemsWithTheSameCodes) {
  ItemCodes codes = codes_of(2, {3, 1, 0, 0, 3, 1, 0, 1, 0, 0, 3, 1});
  append_digits(codes);
  EXPECT_EQ(codes.levels, 3);
  EXPECT_THAT(codes.values, ElementsAre(3, 1, 0, 0, 0, 0, 3, 1, 1, 0, 1, 0, 0, 0, 1, 3, 1, 2));
  EXPECT_EQ(identifier_table(codes).strings_of(5), (Strings{"<a_3>", "<b_1>", "<c_2>"}));
  EXPECT_EQ(collision_rate(codes), 0);
}

TEST(Reassignment, EqualRowsAllGetCodeZero) {
  for (const std::int64_t size : {2, 3, 5, 7}) {
    std::vector<std::int32_t> values;
    for (std::int64_t i = 0; i < size; ++i) values.insert(values.end(), {4, 6});
    values.insert(values.end(), {1, 6});  // alone
    ItemCodes codes = codes_of(2, values);
    const at::Tensor residuals =
        at::cat({test::normal({1, 3}, 1).expand({size, 3}), test::normal({1, 3}, 2)}, 0);
    const Reassignment done = reassign_collisions(codes, residuals, test::normal({8, 3}, 3), small_options());
    for (ItemId item = 0; item < size; ++item) EXPECT_THAT(codes.of(item), ElementsAre(4, 0));
    EXPECT_THAT(codes.of(static_cast<ItemId>(size)), ElementsAre(1, 6));
    EXPECT_EQ(done.sharing_before, size);
    EXPECT_EQ(done.sharing_after, size);
    EXPECT_EQ(done.inseparable_items, size);
    EXPECT_LE(done.rounds, 2) << "stops when nothing changes";
  }
}

TEST(Reassignment, EqualRowsStayTogetherBesideAnother) {
  ItemCodes codes = codes_of(2, {4, 6, 4, 6, 4, 6, 4, 6});
  const at::Tensor one = test::normal({1, 3}, 1),
                   residuals = at::cat({one, test::normal({1, 3}, 2), one, one}, 0);
  const Reassignment done = reassign_collisions(codes, residuals, test::normal({8, 3}, 3), small_options());
  for (const ItemId item : {2, 3}) EXPECT_EQ(codes.of(item)[1], codes.of(0)[1]);
  EXPECT_EQ(codes.of(1)[0], 4);
  EXPECT_NE(codes.of(1)[1], codes.of(0)[1]);
  EXPECT_LT(done.rounds, small_options().reassign_rounds);
  EXPECT_EQ(done.sharing_after, 3);
  EXPECT_EQ(done.inseparable_items, 3);
}

TEST(Reassignment, EqualRowsWhoseCodeZeroIsTakenDoNotGoRoundInCircles) {
  // Item 2 is at the place that items 0 and 1 are sent to. In one dimension, it is nearest to code 0.
  ItemCodes codes = codes_of(2, {4, 6, 4, 6, 4, 0});
  const at::Tensor residuals = at::tensor({1.0F, 1.0F, -1.0F}).view({3, 1});
  const at::Tensor codebook = at::linspace(-1, 1, 8).view({8, 1});
  const Reassignment done = reassign_collisions(codes, residuals, codebook, small_options());
  EXPECT_LT(done.rounds, small_options().reassign_rounds);
  EXPECT_EQ(codes.of(0)[1], codes.of(1)[1]);
  EXPECT_THAT(codes.of(2), ElementsAre(4, 0));
  EXPECT_NE(codes.of(0)[1], 0);
  EXPECT_EQ(done.sharing_after, 2);
}

TEST(Reassignment, DifferentRowsGetDifferentCodes) {
  ItemCodes codes = codes_of(2, {4, 6, 4, 6, 4, 6, 0, 1, 4, 6});
  const at::Tensor residuals = test::normal({5, 3}, 1);
  const Reassignment done = reassign_collisions(codes, residuals, test::normal({8, 3}, 3), small_options());
  EXPECT_EQ(collision_rate(codes), 0);
  EXPECT_EQ(done.sharing_before, 4);
  EXPECT_EQ(done.sharing_after, 0);
  EXPECT_THAT(codes.of(3), ElementsAre(0, 1));
  std::set<std::int32_t> last;
  for (const ItemId item : {0, 1, 2, 4}) {
    EXPECT_EQ(codes.of(item)[0], 4);
    last.insert(codes.of(item)[1]);
  }
  EXPECT_EQ(last.size(), 4U);
}

TEST(Reassignment, ATrainingWithoutSinkhornHasItAtGeneration) {
  const std::vector<std::int32_t> values = {4, 6, 4, 6, 4, 6, 0, 1, 4, 6};
  ItemCodes with = codes_of(2, values), without = codes_of(2, values);
  const at::Tensor residuals = test::normal({5, 3}, 1), codebook = test::normal({8, 3}, 3);
  RqvaeOptions options = small_options();
  ASSERT_EQ(options.sinkhorn_epsilon, 0.003);
  (void)reassign_collisions(with, residuals, codebook, options);
  options.sinkhorn_epsilon = 0;
  EXPECT_NO_THROW(check_options(options_of_method("tiger", options), 5, 0, 0));
  (void)reassign_collisions(without, residuals, codebook, options);
  EXPECT_EQ(without.values, with.values);
  EXPECT_EQ(collision_rate(without), 0);
}

TEST(Reassignment, EndsWhereThereAreMoreItemsThanCodes) {
  std::vector<std::int32_t> values;
  for (int i = 0; i < 20; ++i) values.insert(values.end(), {4, 6});
  ItemCodes codes = codes_of(2, values);
  RqvaeOptions options = small_options();
  options.reassign_rounds = 3;
  const Reassignment done =
      reassign_collisions(codes, test::normal({20, 3}, 1), test::normal({8, 3}, 3), options);
  EXPECT_LE(done.rounds, 3);
  EXPECT_GE(collision_rate(codes), 12.0 / 20);
  EXPECT_EQ(done.inseparable_items, 0);
  std::set<std::int32_t> last;
  for (ItemId item = 0; item < 20; ++item) last.insert(codes.of(item)[1]);
  EXPECT_GE(last.size(), 7U) << "of 8 codes";
}

class NewItems : public ::testing::Test {
 protected:
  NewItems() : options_(with_codes(32)), model_(5, options_, at::kCPU, Precision::kFloat32) {
    model_.initialise(1);
    model_.quantizer().codebooks().copy_(test::normal({2, 32, 3}, 2) * 0.3);
    const at::Tensor rows = test::normal({30, 5}, 3);
    values_.assign(rows.const_data_ptr<float>(), rows.const_data_ptr<float>() + rows.numel());
    old_ = item_codes(model_.encode(rows.narrow(0, 0, 20)).codes);
  }
  /// Enough for all items below one code of the first level.
  static RqvaeOptions with_codes(std::int64_t codes) {
    RqvaeOptions options = small_options();
    options.codes = codes;
    return options;
  }
  /// Rows [begin, end) of the 30.
  [[nodiscard]] Embeddings rows(std::int64_t begin, std::int64_t end) const {
    return make_embeddings({values_.begin() + begin * 5, values_.begin() + end * 5}, 5, "test", "");
  }
  void expect_old_ones_kept(const IdentifierTable& before, const IdentifierTable& after) {
    for (ItemId item = 0; item < before.items(); ++item) {
      EXPECT_EQ(after.strings_of(item), before.strings_of(item));
    }
  }

  RqvaeOptions options_;
  RqvaeModel model_;
  std::vector<float> values_;
  ItemCodes old_;
};

TEST_F(NewItems, GetTheNearestFreeIdentifierBesideTheOldOnes) {
  const IdentifierTable table = identifier_table(old_);
  const IdentifierTable grown = with_new_items(table, model_, rows(15, 30), options_);
  ASSERT_EQ(grown.items(), 35);
  expect_old_ones_kept(table, grown);
  std::set<Strings> taken;
  for (ItemId item = 0; item < 20; ++item) taken.insert(grown.strings_of(item));
  const std::size_t old_distinct = taken.size();
  for (ItemId item = 20; item < 35; ++item) {
    EXPECT_TRUE(taken.insert(grown.strings_of(item)).second) << "item " << item;
  }
  EXPECT_EQ(taken.size(), old_distinct + 15);
  // Items 15-19 once more: their own codes are taken, the first level stays.
  for (ItemId item = 20; item < 25; ++item) {
    EXPECT_EQ(grown.strings_of(item)[0], grown.strings_of(item - 5)[0]);
    EXPECT_NE(grown.strings_of(item)[1], grown.strings_of(item - 5)[1]);
  }
}

TEST_F(NewItems, CountOnUnderDigits) {
  options_.collision = "digit";
  ItemCodes with_digits = old_;
  append_digits(with_digits);
  const IdentifierTable table = identifier_table(with_digits);
  const IdentifierTable grown = with_new_items(table, model_, rows(0, 30), options_);
  expect_old_ones_kept(table, grown);
  EXPECT_EQ(grown.distinct(), 50);
  // As if all 50 had come at once.
  ItemCodes all = old_;
  const ItemCodes fresh =
      item_codes(model_.encode(at::tensor(at::ArrayRef<float>(values_)).view({30, 5})).codes);
  all.values.insert(all.values.end(), fresh.values.begin(), fresh.values.end());
  append_digits(all);
  EXPECT_EQ(grown.sha256(), identifier_table(all).sha256());
}

TEST_F(NewItems, TakeTheNextFreeDigit) {
  options_.collision = "digit";
  ItemCodes with_digits = old_;
  append_digits(with_digits);
  const IdentifierTable table = identifier_table(with_digits);
  std::vector<std::vector<std::string>> strings;
  for (ItemId item = 0; item < table.items(); ++item) strings.push_back(table.strings_of(item));
  strings[0].back() = code_symbol(2, 1);  // as SIIT may leave it: 1 is taken, and 0 is not
  const IdentifierTable grown =
      with_new_items(IdentifierTable::from_strings(strings), model_, rows(0, 30), options_);
  EXPECT_EQ(grown.distinct(), 50);
}

TEST_F(NewItems, ShareIdentifiersWherePolicyIsNone) {
  options_.collision = "none";
  const IdentifierTable grown = with_new_items(identifier_table(old_), model_, rows(0, 20), options_);
  for (ItemId item = 0; item < 20; ++item) EXPECT_EQ(grown.strings_of(item), grown.strings_of(item + 20));
}

TEST_F(NewItems, RefuseVectorsThatDoNotFit) {
  const Embeddings narrow = make_embeddings(std::vector<float>(8, 1.0F), 4, "test", "");
  EXPECT_THROW((void)with_new_items(identifier_table(old_), model_, narrow, options_), DataError);
  Embeddings broken = rows(0, 2);
  broken.values[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW((void)with_new_items(identifier_table(old_), model_, broken, options_), DataError);
}

}  // namespace
}  // namespace genrec
