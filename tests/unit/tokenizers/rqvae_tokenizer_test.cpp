#include "tokenizers/rqvae/rqvae_tokenizer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "comm/communicator.h"
#include "unit/tokenizers/planted.h"

namespace genrec {
namespace {

using test::planted_embeddings;
using test::planted_options;

Dataset dataset_of(std::int64_t items) {
  Dataset dataset;
  dataset.name = "planted";
  dataset.catalogue.titles.resize(static_cast<std::size_t>(items));
  dataset.catalogue.descriptions.resize(static_cast<std::size_t>(items));
  return dataset;
}

/// Warnings of the log while it lives.
class Warnings : public google::LogSink {
 public:
  Warnings() { google::AddLogSink(this); }
  ~Warnings() override { google::RemoveLogSink(this); }
  void send(google::LogSeverity severity, const char*, const char*, int, const struct ::tm*,
            const char* message, std::size_t length) override {
    if (severity == google::GLOG_WARNING) text.append(message, length).append("\n");
  }
  std::string text;
};

TEST(RqvaeTokenizer, FewItemsAreDistinctAndDeadCodesAreTold) {
  const auto world = make_single_communicator();
  RqvaeOptions options = planted_options();
  options.epochs = 3;
  for (const double share : {0.5, 0.0}) {
    options.warn_used_share = share;
    RqvaeTokenizer tokenizer(options, planted_embeddings(5, 5, 1), std::nullopt);
    const Warnings warnings;
    EXPECT_EQ(tokenizer.fit(dataset_of(5), *world).distinct(), 5);
    EXPECT_THAT(warnings.text, ::testing::HasSubstr("only 5 distinct items for codebooks of 16 codes"));
    const auto dead = ::testing::HasSubstr("of 16 codes; the others are dead");
    if (share > 0) {
      EXPECT_THAT(warnings.text, dead);
    } else {
      EXPECT_THAT(warnings.text, ::testing::Not(dead));
    }
  }
}

TEST(RqvaeTokenizer, IsFittedOnce) {
  const auto world = make_single_communicator();
  RqvaeOptions options = planted_options();
  options.epochs = 1;
  RqvaeTokenizer tokenizer(options, planted_embeddings(60, 6, 1), std::nullopt);
  (void)tokenizer.fit(dataset_of(60), *world);
  EXPECT_THROW((void)tokenizer.fit(dataset_of(60), *world), Error);  // its embeddings are freed
}

TEST(RqvaeTokenizer, GivesPlantedItemsDistinctIdentifiers) {
  const auto world = make_single_communicator();
  RqvaeOptions options = options_of_method("tiger", planted_options());
  options.codes = 32;
  RqvaeTokenizer tokenizer(options, planted_embeddings(120, 12, 1), std::nullopt);
  const IdentifierTable table = tokenizer.fit(dataset_of(120), *world);
  EXPECT_EQ(table.items(), 120);
  EXPECT_EQ(table.distinct(), 120);
  EXPECT_EQ(table.max_length(), 3);
  EXPECT_EQ(tokenizer.report().collision_rate, 0);
  // Items of a planted cluster (i mod 12) share their first code more often than others do.
  int near = 0, near_pairs = 0, far = 0, far_pairs = 0;
  for (ItemId i = 0; i < 120; ++i) {
    for (ItemId j = 0; j < i; ++j) {
      const bool same = table.of(i)[0] == table.of(j)[0];
      (i % 12 == j % 12 ? near : far) += same ? 1 : 0;
      (i % 12 == j % 12 ? near_pairs : far_pairs) += 1;
    }
  }
  EXPECT_GT(near * far_pairs, 5 * far * near_pairs);

  const Embeddings fresh = planted_embeddings(10, 10, 5);
  const IdentifierTable grown = tokenizer.new_items(table, fresh);
  ASSERT_EQ(grown.items(), 130);
  EXPECT_EQ(grown.distinct(), 130);
  for (ItemId item = 0; item < 120; ++item) EXPECT_EQ(grown.strings_of(item), table.strings_of(item));
}

TEST(RqvaeTokenizer, EqualEmbeddingsShareAnIdentifierUnlessThereIsADigit) {
  Embeddings embeddings = planted_embeddings(60, 6, 1);
  for (const std::int64_t copy : {20, 40, 59}) {
    const std::vector<float> row(embeddings.row(7).begin(), embeddings.row(7).end());
    std::copy(row.begin(), row.end(), embeddings.values.begin() + copy * embeddings.width);
  }
  const auto world = make_single_communicator();
  RqvaeOptions options = planted_options();
  options.codes = 32;
  options.epochs = 10;
  RqvaeTokenizer sinkhorn(options, embeddings, std::nullopt);
  const IdentifierTable shared = sinkhorn.fit(dataset_of(60), *world);
  EXPECT_EQ(sinkhorn.report().embeddings.repeating_rows, 3);
  for (const ItemId copy : {20, 40, 59}) EXPECT_EQ(shared.strings_of(copy), shared.strings_of(7));
  EXPECT_EQ(sinkhorn.report().reassignment.inseparable_items, 4);
  EXPECT_DOUBLE_EQ(sinkhorn.report().collision_rate, 3.0 / 60);
  EXPECT_EQ(sinkhorn.report().collision_rate_of_distinct, 0);

  options.collision = "digit";
  const IdentifierTable numbered =
      RqvaeTokenizer(options, embeddings, std::nullopt).fit(dataset_of(60), *world);
  EXPECT_EQ(numbered.distinct(), 60);
  EXPECT_EQ(numbered.max_length(), 4);
  EXPECT_THAT(numbered.strings_of(7).back(), ::testing::StartsWith("<d_"));
}

TEST(RqvaeTokenizer, BadInputIsAnErrorOfOneLine) {
  const auto world = make_single_communicator();
  const auto fails_with = [&](const RqvaeOptions& options, const Embeddings& embeddings,
                              std::optional<Embeddings> cf, const std::string& text) {
    try {
      (void)RqvaeTokenizer(options, embeddings, std::move(cf)).fit(dataset_of(60), *world);
      ADD_FAILURE() << "expected an error with \"" << text << "\"";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(text));
      EXPECT_THAT(error.what(), ::testing::Not(::testing::HasSubstr("\n")));
    }
  };
  RqvaeOptions letter = options_of_method("letter", planted_options());
  letter.letter = {.alpha = 0.1, .beta = 0.01, .clusters = 4};
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  fails_with(planted_options(), planted_embeddings(61, 6, 1), std::nullopt, "embeddings of 61 items");
  fails_with(letter, embeddings, std::nullopt, "no collaborative vectors");
  fails_with(letter, embeddings, planted_embeddings(60, 6, 1, 5), "width 5");
  fails_with(letter, embeddings, planted_embeddings(59, 6, 1, 4), "59 items");
  Embeddings broken = embeddings;
  broken.values[77] = std::numeric_limits<float>::infinity();
  fails_with(planted_options(), broken, std::nullopt, "item embeddings");
  RqvaeOptions odd = planted_options();
  odd.collision = "maybe";
  fails_with(odd, embeddings, std::nullopt, "tokenizer.collision");
}

TEST(RqvaeTokenizer, StopsWithAStateAndGoesOn) {
  const auto world = make_single_communicator();
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  RqvaeOptions options = planted_options();
  options.epochs = 6;
  const std::string expected =
      RqvaeTokenizer(options, embeddings, std::nullopt).fit(dataset_of(60), *world).sha256();
  RqvaeTokenizer stopped(options, embeddings, std::nullopt), resumed(options, embeddings, std::nullopt);
  RqvaeHooks hooks;
  std::optional<RqvaeState> saved;
  hooks.stop = [] { return true; };
  hooks.save = [&](const RqvaeState& state) { saved = state; };
  stopped.set_hooks(hooks);
  EXPECT_THROW((void)stopped.fit(dataset_of(60), *world), StoppedEarly);
  ASSERT_TRUE(saved.has_value());
  EXPECT_EQ(saved->epoch, 1);
  resumed.resume_from(*saved);
  EXPECT_EQ(resumed.fit(dataset_of(60), *world).sha256(), expected);
}

}  // namespace
}  // namespace genrec
