// Acceptance check 4 of the method: no tokenizer of texts separates Yelp's items with equal texts.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/item_text.h"
#include "data/load_dataset.h"
#include "support.h"
#include "tokenizers/lsa.h"
#include "tokenizers/rqvae/rqvae_tokenizer.h"
#include "tokenizers/statistics.h"

namespace genrec {
namespace {

std::filesystem::path yelp() {
  return test::shared_folder() / "data" / "yelp";
}

/// A tokenizer that is trained for a moment: the bound holds for any weights.
RqvaeOptions quick_options() {
  RqvaeOptions options;
  options.codes = 64;
  options.dim = 8;
  options.hidden = {32};
  options.epochs = 1;
  options.eval_every = 0;
  options.kmeans_iterations = 5;
  options.sinkhorn_iterations = 5;
  options.reassign_rounds = 3;
  options.letter.alpha = options.letter.beta = 0;
  return options_of_method("tiger", options);
}

TEST(AcceptanceCheck4, TheReleasedTableSharesIdentifiersAmongEqualTextsAlone) {
  GENREC_NEEDS(yelp() / "Yelp.index.json");
  const IdentifierTable table = read_index_json(yelp() / "Yelp.index.json", 20033);
  const IdentifierStatistics statistics = statistics_of(table);
  EXPECT_EQ(statistics.items - statistics.distinct, 832);
  EXPECT_EQ(statistics.sharing_items, 1247);
  EXPECT_EQ(statistics.largest_group, 65);
  const auto groups = table.collisions();
  EXPECT_EQ(groups.size(), 415U);
  // The Sinkhorn loop leaves groups that it cannot separate at code 0.
  EXPECT_EQ(std::ranges::count_if(
                groups, [&](const auto& group) { return table.strings_of(group.front()).back() == "<d_0>"; }),
            409);
}

TEST(AcceptanceCheck4, ItemsWithEqualTextsKeepOneIdentifier) {
  GENREC_NEEDS(yelp());
  DataOptions data;
  data.dir = yelp().string();
  DatasetRepairs repairs;
  const Dataset dataset = load_dataset(data, 42, 0, 1, repairs);
  const std::vector<std::string> texts = item_texts(dataset.catalogue, "title+description");
  LsaOptions lsa;
  lsa.svd = {.width = 16, .oversampling = 8, .power_iterations = 1};
  RqvaeTokenizer tokenizer(quick_options(), lsa_embeddings(texts, "title+description", lsa), std::nullopt);
  const auto world = make_single_communicator();
  const IdentifierTable table = tokenizer.fit(dataset, *world);

  std::map<std::string, ItemId> first;
  for (ItemId item = 0; item < dataset.items(); ++item) {
    const auto [found, is_new] = first.emplace(texts[static_cast<std::size_t>(item)], item);
    if (is_new) continue;
    ASSERT_EQ(table.strings_of(item), table.strings_of(found->second)) << "item " << item;
  }
  EXPECT_EQ(first.size(), 19201U);
  EXPECT_GE(tokenizer.report().embeddings.repeating_rows, 832);
  EXPECT_GE(table.items() - table.distinct(), 832);
  EXPECT_GE(tokenizer.report().reassignment.sharing_after, 1247);
  // Others are separated, if not all by so short a training.
  EXPECT_LT(tokenizer.report().reassignment.sharing_after, tokenizer.report().reassignment.sharing_before);
  EXPECT_LT(table.items() - table.distinct(), 5000);
}

}  // namespace
}  // namespace genrec
