#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "comm/communicator.h"
#include "data/load_dataset.h"
#include "data/synthetic.h"
#include "data/whole_dataset.h"
#include "support.h"
#include "tokenizers/cid/cid_tokenizer.h"
#include "tokenizers/cid/cooccurrence.h"
#include "tokenizers/statistics.h"

namespace genrec {
namespace {

Dataset dataset_of(const std::vector<std::vector<ItemId>>& histories, std::int64_t items) {
  WholeDataset whole;
  for (const auto& history : histories) {
    whole.items.insert(whole.items.end(), history.begin(), history.end());
    whole.offsets.push_back(static_cast<std::int64_t>(whole.items.size()));
  }
  whole.catalogue.titles.resize(static_cast<std::size_t>(items));
  whole.catalogue.descriptions.resize(static_cast<std::size_t>(items));
  return share_of_rank(std::move(whole), 8, 1, 0, 1);
}

TEST(Cooccurrence, CountsTheTrainingPartOnly) {
  // The last two items of each history are held out; the third has no pair in its training part.
  const Dataset dataset = dataset_of({{2, 0, 1, 3, 4}, {0, 2, 0, 5, 6}, {0, 1, 2}, {}}, 7);
  EXPECT_EQ(count_pairs(dataset.interactions), (std::vector<PairCount>{{0, 1, 1}, {0, 2, 3}, {1, 2, 1}}));
}

TEST(Cooccurrence, SharesOfRanksAddUpToTheWhole) {
  const WholeDataset whole = make_synthetic({}, 5);
  const auto expected = count_pairs(share_of_rank(whole, 64, 5, 0, 1).interactions);
  std::vector<PairCount> sum;
  for (int rank = 0; rank < 3; ++rank) {
    sum = merge_pairs(sum, count_pairs(share_of_rank(whole, 64, 5, rank, 3).interactions));
  }
  EXPECT_EQ(sum, expected);
  const auto world = make_single_communicator();
  EXPECT_EQ(sum_pairs_at_root(expected, *world), expected);
}

TEST(Cooccurrence, AFullBufferIsEmptiedWithinAHistory) {
  constexpr std::size_t kBuffer = 100;
  std::vector<ItemId> history;
  for (ItemId i = 0; i < 90; ++i) history.push_back(i * i % 7);
  PairCounter counter(kBuffer);
  for (std::size_t i = 0; i < history.size(); ++i) {
    counter.add(history[i], std::span<const ItemId>(history).subspan(i + 1));
    ASSERT_LE(counter.waiting(), kBuffer);  // the history makes thousands
  }
  history.insert(history.end(), {8, 9});  // held out
  EXPECT_EQ(counter.take(), count_pairs(dataset_of({history}, 10).interactions));
}

TEST(Cooccurrence, PartsOfAGraphDoNotTouchEachOther) {
  const WholeDataset whole = make_synthetic({}, 5);
  const ItemGraph graph =
      make_graph(whole.catalogue.size(), count_pairs(share_of_rank(whole, 8, 5, 0, 1).interactions));
  SubgraphTaker parts(graph);
  for (const std::int32_t step : {2, 3, 5}) {
    std::vector<std::int32_t> nodes;
    for (std::int32_t node = 0; node < graph.size(); node += step) nodes.push_back(node);
    const ItemGraph again = parts.take(nodes), alone = induced(graph, nodes);
    EXPECT_EQ(again.offsets, alone.offsets);
    EXPECT_EQ(again.neighbours, alone.neighbours);
    EXPECT_EQ(again.weights, alone.weights);
  }
}

TEST(Cooccurrence, SmallPartsOfALargeGraphAreQuick) {
  constexpr std::int32_t kItems = 2000000, kParts = 10000;
  std::vector<PairCount> pairs;
  for (std::int32_t node = 0; node < kParts; ++node) pairs.push_back({node, node + kParts, 1});
  const ItemGraph graph = make_graph(kItems, pairs);
  SubgraphTaker parts(graph);
  const auto start = std::chrono::steady_clock::now();
  for (std::int32_t node = 0; node < kParts; ++node) {
    ASSERT_EQ(parts.take(std::vector<std::int32_t>{node, node + kParts}).neighbours.size(), 2u);
  }
  // To clear a place for each item each time is to write 80 GB.
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 2.0);
}

TEST(Cid, SmallCatalogueByHand) {
  // Two cliques {0,1,2} and {3,4,5} and the untrained items 6, 7: a cluster each, then the place in the leaf.
  std::vector<std::vector<ItemId>> histories;
  for (int i = 0; i < 3; ++i) {
    histories.push_back({0, 1, 2, 6, 7});
    histories.push_back({3, 4, 5, 6, 7});
  }
  histories.push_back({2, 3, 6, 7});
  const auto world = make_single_communicator();
  const auto table = CidTokenizer({.token_size = 4, .clusters = 2}, 1).fit(dataset_of(histories, 8), *world);
  using Strings = std::vector<std::string>;
  EXPECT_EQ(table.strings_of(6), (Strings{"<CI0>"}));
  EXPECT_EQ(table.strings_of(7), (Strings{"<CI1>"}));
  for (ItemId first : {0, 3}) {
    const std::string cluster = table.strings_of(first)[0];
    for (ItemId i = 0; i < 3; ++i) {
      EXPECT_EQ(table.strings_of(first + i), (Strings{cluster, "<CI" + std::to_string(i) + ">"}));
    }
  }
  EXPECT_NE(table.strings_of(0)[0], table.strings_of(3)[0]);
  EXPECT_EQ(table.distinct(), 8);
}

TEST(Cid, IsUniqueDeepAndWithinItsVocabulary) {
  DatasetRepairs repairs;
  const Dataset dataset = load_dataset({}, 42, 0, 1, repairs);
  const auto world = make_single_communicator();
  const auto table = CidTokenizer({.token_size = 12, .clusters = 4}, 42).fit(dataset, *world);
  const auto statistics = statistics_of(table);
  EXPECT_EQ(statistics.distinct, dataset.items());
  EXPECT_LE(table.symbols().size(), 12u);
  EXPECT_GE(statistics.longest, 4);
  EXPECT_LE(statistics.longest, 9);
  EXPECT_EQ(CidTokenizer({.token_size = 12, .clusters = 4}, 42).fit(dataset, *world).sha256(),
            table.sha256());
}

TEST(Cid, NeighboursOfTheSyntheticTaxonomyShareTokens) {
  const WholeDataset whole = make_synthetic({}, 42);
  const auto world = make_single_communicator();
  const auto table =
      CidTokenizer({.token_size = 50, .clusters = 40}, 42).fit(share_of_rank(whole, 64, 42, 0, 1), *world);
  // A description names the planted group.
  std::int64_t together = 0, pairs = 0;
  for (ItemId i = 0; i < table.items(); ++i) {
    for (ItemId j = 0; j < i; ++j) {
      const auto a = static_cast<std::size_t>(i), b = static_cast<std::size_t>(j);
      if (whole.catalogue.descriptions[a] != whole.catalogue.descriptions[b]) continue;
      ++pairs;
      together += table.of(i)[0] == table.of(j)[0];
    }
  }
  EXPECT_GT(static_cast<double>(together) / static_cast<double>(pairs), 0.7);
}

TEST(Cid, ManyUntrainedItemsAreAClusterOfTheirOwn) {
  const auto world = make_single_communicator();
  const auto table =
      CidTokenizer({.token_size = 5, .clusters = 3}, 1).fit(dataset_of({{0, 1, 2, 3, 4, 5}}, 60), *world);
  const auto statistics = statistics_of(table);
  EXPECT_EQ(statistics.distinct, 60);
  EXPECT_EQ(statistics.prefix_items, 0);
  EXPECT_LE(table.symbols().size(), 5u);
}

TEST(Cid, NoHistoriesAtAll) {
  const auto world = make_single_communicator();
  const auto table = CidTokenizer({.token_size = 5, .clusters = 3}, 1).fit(dataset_of({{}}, 3), *world);
  EXPECT_EQ(table.strings_of(2), (std::vector<std::string>{"<CI2>"}));
}

TEST(Cid, CompleteGraphEnds) {
  std::vector<ItemId> everything;
  for (ItemId i = 0; i < 100; ++i) everything.push_back(i);
  everything.insert(everything.end(), {0, 1});
  const auto world = make_single_communicator();
  const auto table =
      CidTokenizer({.token_size = 5, .clusters = 2}, 1).fit(dataset_of({everything}, 100), *world);
  EXPECT_EQ(table.distinct(), 100);
}

TEST(Cid, ChecksItsOptions) {
  EXPECT_THROW(CidTokenizer({.token_size = 20, .clusters = 20}, 1), UsageError);
  EXPECT_THROW(CidTokenizer({.token_size = 20, .clusters = 1}, 1), UsageError);
}

TEST(Cid, BeautyIsUniqueAndNotDeep) {
  DataOptions options;
  options.dir = test::shared_folder() / "data" / "beauty";
  GENREC_NEEDS(options.dir);
  DatasetRepairs repairs;
  const Dataset dataset = load_dataset(options, 42, 0, 1, repairs);
  const auto world = make_single_communicator();
  const auto statistics = statistics_of(CidTokenizer({}, 42).fit(dataset, *world));
  EXPECT_EQ(statistics.distinct, 12101);
  // 33 items are in no training part; the tokens of 20 of them are the first ones of other items, too.
  EXPECT_EQ(statistics.items - statistics.positions[1].items, 33);
  EXPECT_EQ(statistics.prefix_items, 20);
  EXPECT_LE(statistics.longest, 8);
}

}  // namespace
}  // namespace genrec
