#include "training/tasks.h"

#include <gtest/gtest.h>

#include <set>

#include "small_world.h"

namespace genrec {
namespace {

std::vector<TokenId> sequence(const PackedSequences& packed, std::int64_t b) {
  const auto i = static_cast<std::size_t>(b);
  return {packed.tokens.begin() + packed.offsets[i], packed.tokens.begin() + packed.offsets[i + 1]};
}

void add(std::vector<TokenId>& tokens, std::span<const TokenId> more) {
  tokens.insert(tokens.end(), more.begin(), more.end());
}

std::vector<TokenId> joined(const test::SmallWorld& world, std::span<const ItemId> items,
                            const std::vector<TokenId>& separator) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) add(tokens, separator);
    add(tokens, world.items.of(items[i]));
  }
  return tokens;
}

TextTokenizer hand_cream_tokenizer() {
  std::vector<std::string> lines = prompt_texts(builtin_templates());
  for (int i = 0; i < 20; ++i) lines.push_back("Rose hand cream " + std::to_string(i));
  return TextTokenizer::train(lines, 200, 1);
}

TEST(RecommendationTask, WithoutTemplatesIdentifiersFollowOneAnother) {
  const test::SmallWorld world;
  const Prompts prompts;
  const RecommendationTask task(world.interactions, world.items, prompts, 3, 42);
  const Sample sample{6, 5};  // user 6 has 9 items
  Seq2SeqBatch batch;
  task.append(sample, 0, batch);
  const auto row = world.interactions.row(6);
  std::vector<TokenId> source = joined(world, row.subspan(2, 3), {});
  source.push_back(kEndToken);
  std::vector<TokenId> target = joined(world, row.subspan(5, 1), {});
  target.push_back(kEndToken);
  ASSERT_EQ(batch.samples(), 1);
  EXPECT_EQ(sequence(batch.source, 0), source);
  EXPECT_EQ(sequence(batch.target, 0), target);
  EXPECT_EQ(batch.keys, (std::vector<std::uint64_t>{sample_key(6, 5)}));
}

TEST(RecommendationTask, TemplatesDependOnTheRoundAndTheSampleAlone) {
  const test::SmallWorld world;
  const TextTokenizer text = hand_cream_tokenizer();
  const Prompts prompts(builtin_templates(), text);
  const RecommendationTask task(world.interactions, world.items, prompts, 10, 42);
  const Sample sample{6, 5};
  const auto history = joined(world, world.interactions.row(6).first(5), prompts.separator());
  std::set<std::vector<TokenId>> seen;
  for (std::uint64_t round = 0; round < 200; ++round) {
    PackedSequences sources;
    task.append_source(sample, round, sources);
    task.append_source(sample, round, sources);
    EXPECT_EQ(sequence(sources, 0), sequence(sources, 1));
    seen.insert(sequence(sources, 0));
  }
  std::set<std::vector<TokenId>> expected;
  for (const PromptFrame& frame : prompts.recommendation()) {
    std::vector<TokenId> tokens = frame.prefix;
    add(tokens, history);
    add(tokens, frame.suffix);
    tokens.push_back(kEndToken);
    expected.insert(tokens);
  }
  EXPECT_EQ(seen, expected);  // 200 draws of 15: each one comes
}

TEST(RecommendationTask, EvaluationRoundsAreNoEpochs) {
  EXPECT_GT(evaluation_round(Split::kTest), 1ULL << 62);
  EXPECT_NE(evaluation_round(Split::kTest), evaluation_round(Split::kValid));
}

TEST(AlignmentTask, BothDirections) {
  const test::SmallWorld world;
  const TextTokenizer text = hand_cream_tokenizer();
  const Prompts prompts(builtin_templates(), text);
  std::vector<std::string> titles;
  for (int i = 0; i < test::SmallWorld::kItems; ++i) titles.push_back("Rose hand cream " + std::to_string(i));
  titles[4].clear();
  const TitlePieces pieces(titles, text, 64);
  const AlignmentTask task(pieces, world.items, prompts);
  EXPECT_EQ(task.untitled(), 1);
  EXPECT_EQ(task.trainable().size(), 19U);
  EXPECT_EQ(task.trainable()[4], 5);

  Seq2SeqBatch batch;
  task.append(7, AlignmentDirection::kItemToIdentifier, batch);
  task.append(7, AlignmentDirection::kIdentifierToItem, batch);
  const auto framed = [&](const PromptFrame& frame, std::span<const TokenId> content) {
    std::vector<TokenId> tokens = frame.prefix;
    add(tokens, content);
    add(tokens, frame.suffix);
    tokens.push_back(kEndToken);
    return tokens;
  };
  const auto ended = [](std::span<const TokenId> content) {
    std::vector<TokenId> tokens(content.begin(), content.end());
    tokens.push_back(kEndToken);
    return tokens;
  };
  EXPECT_EQ(sequence(batch.source, 0), framed(prompts.item_to_identifier(), pieces.of(7)));
  EXPECT_EQ(sequence(batch.target, 0), ended(world.items.of(7)));
  EXPECT_EQ(sequence(batch.source, 1), framed(prompts.identifier_to_item(), world.items.of(7)));
  EXPECT_EQ(sequence(batch.target, 1), ended(pieces.of(7)));
  EXPECT_NE(batch.keys[0], batch.keys[1]);

  PackedSequences untitled;
  task.append_item_prompt(4, untitled);
  EXPECT_EQ(sequence(untitled, 0), framed(prompts.item_to_identifier(), {}));
}

}  // namespace
}  // namespace genrec
